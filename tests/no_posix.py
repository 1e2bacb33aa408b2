"""Makes this process one of a system without POSIX, as far as this package can tell.

    python -c "from tests.no_posix import take_away; take_away('none'); ..."

Other packages, which ask what system it is and then take its calls, are imported before. Windows' locks, and that an open
file can be neither renamed nor removed there, are imitated.
"""

import errno
import importlib
import importlib.abc
import os
import signal
import sys
from types import ModuleType

MODULES = {"fcntl", "resource", "termios", "pwd", "grp", "tty", "pty", "syslog"}
OF_OS = {"fork", "forkpty", "register_at_fork", "pread", "preadv", "pwrite", "pwritev", "sched_getaffinity", "sysconf"}
OF_OS |= {"getuid", "geteuid", "getgid", "setsid", "getpgid", "killpg", "mkfifo", "uname", "fchmod"}
OF_OS |= {"posix_fadvise", "nice", "chown", "O_DIRECTORY", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC"}
OF_SIGNAL = {
    "SIGUSR1",
    "SIGUSR2",
    "SIGHUP",
    "SIGALRM",
    "SIGKILL",
    "SIGCHLD",
    "SIGPIPE",
    "SIGQUIT",
    "alarm",
    "setitimer",
}
OF_SIGNAL |= {"pthread_sigmask", "pthread_kill", "siginterrupt", "sigwait"}
OTHERS = ["subprocess", "numpy", "pandas", "torch", "torchvision", "safetensors.torch", "av", "matplotlib.figure"]
OTHERS += ["torchmetrics", "pytorch_lightning", "hydra"]


class Refusing(importlib.abc.MetaPathFinder):
    """Finds no module of the given names, and lets nobody else look for them."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def take_away(locks):
    """Take POSIX away. `locks`: "msvcrt" for an imitation of Windows' module, "none" for a system without any."""
    import fcntl

    for name in OTHERS:
        importlib.import_module(name)
    imitation = imitate(fcntl)
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Refusing(MODULES | {"msvcrt"}))
    if locks == "msvcrt":
        sys.modules["msvcrt"] = imitation
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    forbid_renaming_open_files()


def imitate(fcntl):
    """Make a `msvcrt` that locks bytes of an open file, with Windows' error for one that is taken."""
    module = ModuleType("msvcrt")
    module.LK_NBLCK, module.LK_UNLCK = 2, 0

    def locking(descriptor, mode, length):
        assert length == 1
        assert os.lseek(descriptor, 0, os.SEEK_CUR) > 1 << 30  # whoever reads the file must not meet the lock
        try:
            fcntl.flock(descriptor, fcntl.LOCK_UN if mode == module.LK_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    module.locking = locking
    return module


def forbid_renaming_open_files():
    """Let `os.replace`, `os.rename` and `os.unlink` refuse a file that this process has open, as Windows does."""

    def refusing(call):
        def guarded(path, *rest, **named):
            wanted = os.path.realpath(path)
            for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208
                if os.path.realpath(f"/proc/self/fd/{descriptor}") == wanted:
                    raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))
            return call(path, *rest, **named)

        return guarded

    for name in ("replace", "rename", "unlink", "remove"):
        setattr(os, name, refusing(getattr(os, name)))
