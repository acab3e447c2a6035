"""Keep the module paths and names of release 0.1 importable after they were moved or renamed.

Importing an old path returns the module at its new path; importing an old name returns the object
with the new name. Both emit a DeprecationWarning. Module paths that fast-reid has did not change
and are not listed here.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

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
    "utils.torch_weights": "utils.checkpoint.names",
    "utils.weights_advice": "utils.checkpoint.recognition.advice",
    "utils.weights_candidates": "utils.checkpoint.recognition.candidates",
    "utils.weights_choice": "utils.checkpoint.recognition.choice",
    "utils.weights_description": "utils.checkpoint.recognition.description",
    "utils.weights_families": "utils.checkpoint.recognition.families",
    "utils.weights_file": "utils.checkpoint.weights_file",
}

# New name by old name, both with their modules, relative to the package.
RENAMED = {
    "config.is_acl": "config.acl_recipe.is_acl",
    "config.recipe.without_pretraining": "config.config.without_pretraining",
    "data.build.require_names": "data.train_set.require_names",
    "data.checks.dataset.require_sound": "data.checks.dataset.require_usable",
    "data.checks.require_sound": "data.checks.dataset.require_usable",
    "data.feed.BatchFeed": "data.pipeline.batch_iterator.BatchIterator",
    "data.samplers.passes.Bookmark": "data.samplers.state.SamplerState",
    "data.samplers.passes.Bookmarks": "data.samplers.state.StateHistory",
    "data.samplers.passes.Passes": "data.samplers.state.PassStream",
    "data.shares.Place": "data.pipeline.shards.Shard",
    "data.shares.RowsOf": "data.pipeline.shards.ShardRows",
    "data.shares.check_shares": "data.pipeline.shards.check_shard_sizes",
    "data.shares.contiguous_share": "data.pipeline.shards.contiguous_shard_rows",
    "data.shares.meta_share": "data.pipeline.shards.meta_shard_rows",
    "data.stalls.StallWatch": "data.pipeline.stalls.StallDetector",
    "data.substitutes.Substitutes": "data.pipeline.replacements.ImageReplacements",
    "engine.batch_shares.Share": "engine.steps.batch_shards.BatchShard",
    "engine.batch_shares.can_be_cut": "engine.steps.batch_shards.is_divisible",
    "engine.batch_shares.shares_of": "engine.steps.batch_shards.shards_by_step",
    "engine.resume.places_in_data": "engine.resume.resume.loader_states",
    "engine.resume.return_to_places": "engine.resume.resume.restore_loader_states",
    "engine.train_loop.StepRecord": "engine.steps.results.StepRecord",
    "engine.train_loop.batch_tensors": "engine.steps.train_step.batch_tensors",
    "evaluation.ranked_images.most_and_least": (
        "evaluation.report.ranked_images.best_worst_and_random"
    ),
    "evaluation.report.REPORT_IMAGES": "evaluation.report.ranking_report.REPORT_IMAGES",
    "evaluation.report.REPORT_QUERIES": "evaluation.report.ranking_report.REPORT_QUERIES",
    "layers.conv.StemMaxPool": "layers.kernels.StemMaxPool",
    "layers.sync_batch_norm.InTurn": "layers.kernels.InTurn",
    "layers.sync_batch_norm.in_turn": "layers.kernels.in_turn",
    "layers.sync_batch_norm.sends_messages": "layers.kernels.sends_messages",
    "modeling.heads.embedding_head.NECK_FEATS": "modeling.heads.neck.NECK_FEATS",
    "modeling.meta_arch.baseline.Phase": "modeling.meta_arch.acl.Phase",
    "utils.comm.first_of_machine": "utils.comm.local_rank_zero_first",
    "utils.compute_dist.BLOCK_ELEMENTS": "utils.compute_dist.distances.BLOCK_ELEMENTS",
    "utils.compute_dist.BLOCK_ROWS": "utils.compute_dist.distances.BLOCK_ROWS",
    "utils.compute_dist.Product": "utils.compute_dist.distances.Product",
    "utils.errors.place_of": "utils.messages.errors.location_of",
    "utils.interrupts.unwinding": "utils.command_line.interrupts.raising_keyboard_interrupt",
    "utils.output.has_lost_reader": "utils.command_line.output.is_closed_by_reader",
    "utils.output.provide_outputs": "utils.command_line.output.open_missing_streams",
    "utils.output.without_reader": "utils.command_line.output.tolerate_closed_outputs",
    "utils.own_code.telling_place": "utils.messages.own_code.locating_errors",
    "utils.processes.end_with": "utils.processes.end_with_parent",
    "utils.processes.leave": "utils.processes.exit_now",
    "utils.release_names.is_beside_weights": "utils.checkpoint.release_names.is_auxiliary",
    "utils.weights_candidates.Found": "utils.checkpoint.recognition.candidates.SearchResult",
    "utils.weights_file.split_place": "utils.checkpoint.weights_file.split_key_path",
}
# Modules with such names.
_MODULES = {name.rpartition(".")[0] for name in RENAMED}


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
        moved = importlib.import_module(new)
        if name in _MODULES:
            vars(moved)["__getattr__"] = _lookup(name)
        # After exec_module, the import system returns the entry of sys.modules.
        sys.modules[module.__name__] = moved


class RenamedNames(MetaPathFinder):
    """Import hook that lets the modules of `RENAMED` with an unchanged path find old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of such a module, None for any other.

        Args:
            fullname: dotted name of the module to import.
            path: folders of the package that contains it.
            target: not used.
        """
        package, _, name = fullname.partition(".")
        if package != __package__ or name not in _MODULES or name in MOVED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _RenamingLoader(fullname, spec.loader.path)
        return spec


class _RenamingLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        vars(module)["__getattr__"] = _lookup(module.__name__.partition(".")[2])


def _lookup(module: str) -> Callable[[str], Any]:
    """Return the function ``__getattr__`` (PEP 562) of a module with renamed names."""

    def find(name: str) -> Any:
        if f"{module}.{name}" not in RENAMED:
            raise AttributeError(f"module {__package__}.{module} has no attribute {name!r}")
        path, _, new = RENAMED[f"{module}.{name}"].rpartition(".")
        message = (
            f"{__package__}.{module}.{name} is {__package__}.{path}.{new} since release 0.2; the "
            "old name will be removed."
        )
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(f"{__package__}.{path}"), new)

    return find


def install() -> None:
    """Install the import hooks; calling it again has no effect."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, RenamedNames())
        sys.meta_path.append(MovedModules())
