"""The review page of a home as a process of its own, to be killed: `python -m testing.review_alone FOLDER`.

FOLDER is the one given to `fake_home_in`. Its only line says the address.
"""

import sys
import time
from pathlib import Path

from facesets_dagster.settings import load_settings
from testing.served_files import served_review


def main(folder: Path) -> None:
    """Serves until it is killed."""
    settings = load_settings({"FACESETS_HOME": str(folder / "home"), "FACESETS_MODELS": str(folder)}, folder)
    with served_review(settings) as address:
        print(address, flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
