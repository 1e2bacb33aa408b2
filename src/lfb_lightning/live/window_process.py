"""A window that shows the JPEGs that come through standard input: a program of its own, which needs a display.

It is run by its path, so that it starts without torch. Before each JPEG come four bytes with its length.
"""

import io
import signal
import sys
import threading

_LOOK_MILLISECONDS = 30


def main() -> int:
    """Open the window, say that it is there, and show what comes until nothing does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that sends
    try:
        import tkinter

        from PIL import Image, ImageTk

        root = tkinter.Tk()
    except Exception as error:
        print(" ".join(str(error).split()) or type(error).__name__, flush=True)
        return 1
    root.title("lfb-predict, live")
    label = tkinter.Label(root, text="The picture appears with the first moment.", width=60, height=20, bd=0)
    label.pack()
    newest: list[bytes] = []
    over = threading.Event()

    def read() -> None:
        while len(head := sys.stdin.buffer.read(4)) == 4:
            newest[:] = [sys.stdin.buffer.read(int.from_bytes(head, "big"))]
        over.set()

    def show() -> None:
        if over.is_set():
            root.destroy()
            return
        if newest:
            photo = ImageTk.PhotoImage(Image.open(io.BytesIO(newest.pop())))
            label.configure(image=photo, width=photo.width(), height=photo.height())
            label.image = photo  # type: ignore[attr-defined]  # Tk itself keeps no reference
        root.after(_LOOK_MILLISECONDS, show)

    threading.Thread(target=read, daemon=True).start()
    print("ready", flush=True)
    show()
    root.mainloop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
