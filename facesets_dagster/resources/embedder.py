"""The face models as a resource: configuration now, sessions when the first photo needs them, once per process."""

from pathlib import Path

import dagster as dg
from pydantic import Field, PrivateAttr

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.embedding.home_numbers import numbers_at_home, with_ruled_numbers
from facesets_dagster.embedding.landmarks import Enricher, ExtraModel, find_extra_models
from facesets_dagster.embedding.load import DET_SIZE, describe_pack, load_embedder, open_enricher
from facesets_dagster.embedding.packs import pack_folder
from facesets_dagster.embedding.precision import FP32
from facesets_dagster.embedding.thresholds import PackThresholds, thresholds_for
from facesets_dagster.home import recorded_pack, recorded_precision
from facesets_dagster.settings import Settings, provider_names
from facesets_dagster.threads import cores


class EmbedderResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Which models run, where, and how wide."""

    model_pack: str = Field(description="`embedded`, an insightface pack's name, or a folder with ONNX files.")
    models_root: str = Field(description="Packs lie under `models/<pack>/` in here.")
    providers: str | None = Field(
        default=None,
        description=(
            "cpu, cuda, tensorrt, coreml, or ONNX Runtime names separated by commas. null = the GPU where the "
            "installed onnxruntime is built for one. A run fails if a named provider is not available."
        ),
    )
    det_size: int = Field(
        default=DET_SIZE,
        ge=64,
        le=4096,
        multiple_of=32,
        description="Side of the detector's input, px; part of model_id.",
    )
    precision: str = Field(
        default=FP32,
        pattern="^(fp32|fp16)$",
        description="fp32 or fp16; fp16 is for GPUs, not quite exact, and part of model_id. FACESETS_PRECISION.",
    )
    calibration: str | None = Field(
        default=None, description="Numbers that the home measured for its pack (`facesets calibrate`)."
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Threads for photos and faces; 0 = one per core it may use.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="Threads inside one model call.")
    recogniser_batch: int = Field(
        default=0, ge=0, le=1024, description="Faces per call of the recogniser, of several photos; 0 = 1 on a CPU, 32."
    )

    _embedder: Embedder | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: Settings) -> "EmbedderResource":
        """The resource for these settings; the pack is the home's."""
        return cls(
            model_pack=recorded_pack(settings),
            models_root=str(settings.models_root),
            providers=settings.providers,
            precision=recorded_precision(settings),
            calibration=str(settings.calibration_file),
        )

    def pack(self) -> ModelPack:
        """What identifies the models; opens no session."""
        return describe_pack(
            self.model_pack, models_root=Path(self.models_root), det_size=self.det_size, precision=self.precision
        )

    def thresholds(self) -> PackThresholds:
        """The pack's numbers: those that people set, then those that the home measured, else the shipped ones."""
        pack = self.pack()
        measured = numbers_at_home(thresholds_for(pack), self.calibration_file(), pack.model_id)
        return with_ruled_numbers(measured, self.ruled_file(), pack.model_id)

    def calibration_file(self) -> Path | None:
        """Where the home's own numbers are, or would be."""
        return Path(self.calibration) if self.calibration else None

    def ruled_file(self) -> Path | None:
        """Where the numbers are that people set, or would be."""
        file = self.calibration_file()
        return file.with_name("ruled_numbers.json") if file else None

    def embedder(self) -> Embedder:
        """The loaded models: the same object at every call and from every thread, and for every equal resource.

        Kept here too: finding it by its files takes 2 ms, and each crop calls this.
        """
        if self._embedder is None:
            self._embedder = load_embedder(
                self.model_pack,
                models_root=Path(self.models_root),
                providers=self._provider_names(),
                det_size=self.det_size,
                threads=self.threads,
                recogniser_batch=self.recogniser_batch,
                precision=self.precision,
            )
        return self._embedder

    def extra_models(self) -> dict[str, ExtraModel]:
        """Task -> what the pack has beyond detector and recogniser; opens no session."""
        return find_extra_models(self.folder())

    def enricher(self, model: ExtraModel) -> Enricher:
        """One of these models, opened."""
        return open_enricher(model, providers=self._provider_names(), threads=self.threads)

    def folder(self) -> Path:
        """Where the pack's files lie."""
        return pack_folder(self.model_pack, Path(self.models_root))

    def worker_count(self) -> int:
        """Threads that work on photos and faces."""
        return self.workers or cores()

    def _provider_names(self) -> tuple[str, ...]:
        import onnxruntime

        return provider_names(self.providers, onnxruntime.get_available_providers())

    def describe(self) -> dict[str, str]:
        """For the metadata of assets."""
        pack = self.pack()
        return {"model_pack": pack.name, "model_id": pack.model_id}
