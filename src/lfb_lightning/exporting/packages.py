"""The packages of the extra `export`."""

from __future__ import annotations

from lfb_lightning.errors import InputError


def missing_export_extra(error: ImportError, *, key: str) -> InputError:
    """Make the error for a package of the extra `export` that is not installed.

    Args:
        error: What importing it raised.
        key: What it was needed for, such as `format=onnx`.
    """
    return InputError(f"{key} needs {error.name}, which is not installed: pip install 'lfb-lightning[export]'.")


def require_export_extra() -> None:
    """Raise InputError if a package is missing that writes ONNX files, or runs them to compare."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401  # torch.onnx.export needs it
    except ImportError as error:
        raise missing_export_extra(error, key="format=onnx") from error
