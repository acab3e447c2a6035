"""Keep the module paths of release 0.1 importable after modules were moved.

Importing an old path returns the module at its new path and emits a DeprecationWarning. Module
paths that fast-reid has did not change and are not listed here.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# New path by old path, both relative to the package.
MOVED = {
    "config.recipe": "config.acl_recipe",
    "data.datasets.cuhk03_preparation": "data.datasets.preparation.cuhk03",
    "data.datasets.cuhk_sysu_crops": "data.datasets.preparation.cuhk_sysu_crops",
    "data.datasets.image_search": "data.datasets.files.image_search",
    "data.datasets.prepared_folder": "data.datasets.preparation.prepared_folder",
    "data.feed": "data.pipeline.batch_iterator",
    "data.loader": "data.pipeline.loader",
    "data.prefetcher": "data.pipeline.prefetcher",
    "data.preparation": "data.pipeline.preparation",
    "data.samplers.passes": "data.samplers.state",
    "data.shares": "data.pipeline.shards",
    "data.stalls": "data.pipeline.stalls",
    "data.substitutes": "data.pipeline.replacements",
    "data.worker_process": "data.pipeline.worker_process",
    "data.workers": "data.pipeline.workers",
    "engine.batch_shares": "engine.steps.batch_shards",
    "engine.gradient_average": "engine.steps.gradient_average",
    "engine.job": "engine.launch.job",
    "engine.job_folder": "engine.launch.job_folder",
    "engine.loss_scale": "engine.steps.loss_scale",
    "engine.machines": "engine.launch.machines",
    "engine.non_finite": "engine.steps.non_finite",
    "engine.rank_output": "engine.launch.rank_output",
    "engine.run_record": "engine.resume.run_record",
    "engine.saved_config": "engine.resume.saved_config",
    "engine.statistics_watch": "engine.steps.statistics_watch",
    "engine.supervisor": "engine.launch.supervisor",
    "engine.termination": "engine.launch.termination",
    "engine.train_step": "engine.steps.train_step",
    "engine.updates": "engine.steps.updates",
    "evaluation.feature_file": "evaluation.features.feature_file",
    "evaluation.feature_table": "evaluation.features.feature_table",
    "evaluation.gathering": "evaluation.features.gathering",
    "evaluation.image_places": "evaluation.features.image_paths",
    "evaluation.page": "evaluation.report.html_page",
    "evaluation.pictures": "evaluation.report.html_report",
    "evaluation.ranked_images": "evaluation.report.ranked_images",
    "evaluation.reciprocal_neighbours": "evaluation.rerank.reciprocal_neighbours",
    "layers.spatial": "layers.kernels",
    "utils.atomic": "utils.atomic_file",
    "utils.cache_folder": "utils.file_io.cache_folder",
    "utils.checkpoint_file": "utils.checkpoint.files",
    "utils.checkpoint_list": "utils.checkpoint.checkpoint_list",
    "utils.ckpt_reader": "utils.checkpoint.formats.ckpt_reader",
    "utils.ckpt_writer": "utils.checkpoint.formats.ckpt_writer",
    "utils.command": "utils.command_line.command",
    "utils.device_memory": "engine.steps.device_memory",
    "utils.errors": "utils.messages.errors",
    "utils.expected_weights": "utils.checkpoint.expected_weights",
    "utils.file_kinds": "utils.checkpoint.formats.file_kinds",
    "utils.interrupts": "utils.command_line.interrupts",
    "utils.load_weights": "utils.checkpoint.weights",
    "utils.metrics_file": "engine.resume.metrics_file",
    "utils.mutual_nearest": "utils.compute_dist.mutual_nearest",
    "utils.nearest": "utils.compute_dist.nearest",
    "utils.number_formats": "utils.checkpoint.formats.number_formats",
    "utils.output": "utils.command_line.output",
    "utils.output_path": "utils.file_io.output_path",
    "utils.own_code": "utils.messages.own_code",
    "utils.paths": "utils.file_io.paths",
    "utils.pixel_buffers": "utils.checkpoint.pixel_buffers",
    "utils.plots_curves": "utils.visualizer.curves",
    "utils.plots_features": "utils.visualizer.features",
    "utils.plots_ranking": "utils.visualizer.ranking",
    "utils.pth_machine": "utils.checkpoint.formats.pth_machine",
    "utils.pth_objects": "utils.checkpoint.formats.pth_objects",
    "utils.pth_pickle": "utils.checkpoint.formats.torch_pickle",
    "utils.pth_reader": "utils.checkpoint.formats.pth_reader",
    "utils.pth_tensors": "utils.checkpoint.formats.pth_tensors",
    "utils.pth_writer": "utils.checkpoint.formats.pth_writer",
    "utils.release_names": "utils.checkpoint.release_names",
    "utils.safetensors_reader": "utils.checkpoint.formats.safetensors_reader",
    "utils.texts": "utils.messages.texts",
    "utils.threads": "utils.processor.threads",
    "utils.torch_weights": "utils.checkpoint.names",
    "utils.weights_advice": "utils.checkpoint.recognition.advice",
    "utils.weights_candidates": "utils.checkpoint.recognition.candidates",
    "utils.weights_choice": "utils.checkpoint.recognition.choice",
    "utils.weights_description": "utils.checkpoint.recognition.description",
    "utils.weights_families": "utils.checkpoint.recognition.families",
    "utils.weights_file": "utils.checkpoint.weights_file",
}


class MovedModules(MetaPathFinder, Loader):
    """Import hook (PEP 451) that finds the modules of `MOVED` if no other finder does."""

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for an old path, None for any other.

        Args:
            fullname: dotted name of the module to import.
            path: not used.
            target: not used.
        """
        del path, target
        package, _, name = fullname.partition(".")
        if package != __package__ or name not in MOVED:
            return None
        return ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Register the module of the new path under the old name.

        Args:
            module: the empty module that the import system has created, which is discarded.
        """
        package, _, name = module.__name__.partition(".")
        new = f"{package}.{MOVED[name]}"
        message = f"{module.__name__} is {new} since release 0.2; the old path will be removed."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        # After exec_module, the import system returns the entry of sys.modules.
        sys.modules[module.__name__] = importlib.import_module(new)


def install() -> None:
    """Install the import hook; calling it again has no effect."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
