"""How scikit-learn's estimators are written: as a skops file, which holds no pickle and loads only what is trusted."""

import zipfile
from pathlib import Path
from typing import Any

from dsgo.base.errors import UserError, reason
from dsgo.models.power_model import TRUSTED

WHERE = "TRUSTED in dsgo/models/power_model.py"


def dump(estimators: Any, path: Path) -> None:
    """Write an estimator, or a dict or list that holds some, to a skops file that a model can load back.

    Raises UserError, with what to do, for a type that skops cannot write or that is not in TRUSTED.
    """
    import skops.io  # takes a second, which a step without such an estimator need not wait
    from skops.io.exceptions import UnsupportedTypeException

    try:
        # Packed lightly: a forest takes half the room, and 0.1 s more to load.
        skops.io.dump(estimators, path, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    except (UnsupportedTypeException, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"the model cannot be stored without a pickle: {reason(error).rstrip('.')}; take another class"
        ) from error
    strange = [name for name in skops.io.get_untrusted_types(file=path) if name not in TRUSTED]
    own = [name for name in strange if name.startswith("__main__.")]
    if own:
        raise UserError(
            f"the model cannot be stored: {', '.join(own)} stands in the trainer's script, which is not there when the "
            "model serves. Use what scikit-learn, numpy or scipy have, or do it in `fit` before the estimator"
        )
    if strange:
        raise UserError(
            f"the model cannot be stored: {', '.join(strange)} is not trusted. If you know that it only computes and "
            f"opens no file and runs no code, add it to {WHERE}"
        )
