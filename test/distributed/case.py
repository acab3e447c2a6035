"""A small problem that two processes, and one that does the work of two, train on and evaluate."""

import numpy as np
from mindspore import nn

from fastreid.config import get_cfg
from fastreid.data import CommDataset, ReidDataLoader, WorkerPool
from fastreid.data.samplers import InferenceSampler
from fastreid.data.shares import Place, contiguous_rows, held_out_domain, meta_share
from fastreid.data.transforms import Compose, Resize, ToTensor
from fastreid.engine import HookBase, MetaTrainer
from fastreid.engine.train_step import LossForward
from fastreid.evaluation import ReidEvaluator, inference_on_dataset
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper

from ..engine.toy import PowerLosses, ToyMetaModel, batch_of, randomize

WORLD_SIZE = 2
ITERATIONS, PERIOD, SEED = 8, 3, 0
NUM_DOMAINS, ROWS, DOMAIN_ROWS = 3, 8, 4
RATE = 0.05
BATCH_SIZE = 5


def optimizers(model):
    parameters = tuple(model.trainable_params())
    return (
        SGD([ParamGroup(parameters, RATE, 1e-3)], momentum=0.9),
        SGD([ParamGroup(parameters, RATE, 1e-3)]),
    )


def forwards(model):
    """Losses of basic, meta-train and meta-test steps."""
    return [LossForward(model, PowerLosses(power)) for power in (2, 2, 4)]


def cut(batch, rows):
    return {column: values[rows] for column, values in batch.items()}


def basic_batch(number, rank):
    """A rank's part of a mixed batch."""
    return cut(batch_of(number, rows=ROWS), contiguous_rows(ROWS, Place(rank, WORLD_SIZE)))


def held_out(number):
    return held_out_domain(SEED, number * PERIOD, NUM_DOMAINS)


def domain_batch(domain, number, rank):
    """A rank's part, possibly empty, of a domain's batch of a meta step."""
    rows = meta_share(
        domain,
        num_domains=NUM_DOMAINS,
        batch_size=DOMAIN_ROWS,
        place=Place(rank, WORLD_SIZE),
        held_out=held_out,
    )(number)
    seed = 100 + NUM_DOMAINS * number + domain
    return cut(batch_of(seed, rows=DOMAIN_ROWS, domain=domain), rows)


def trainer(model, rank):
    basic, meta_train, meta_test = forwards(model)
    optimizer, meta_optimizer = optimizers(model)
    return MetaTrainer(
        model,
        [basic_batch(number, rank) for number in range(ITERATIONS)],
        domain_loaders=[
            [domain_batch(domain, number, rank) for number in range(ITERATIONS)]
            for domain in range(NUM_DOMAINS)
        ],
        forward=basic,
        meta_train_forward=meta_train,
        meta_test_forward=meta_test,
        optimizers=[optimizer],
        meta_optimizer=meta_optimizer,
        clipper=GradientClipper("norm", 0.5),
        log_period=1,
        period=PERIOD,
        first_basic_steps=1,
        adaptor_lr_factor=0.5,
        seed=SEED,
    )


def new_model():
    return randomize(ToyMetaModel())


class Losses(HookBase):
    """Notes what is logged as the loss of each basic step."""

    def __init__(self):
        self.totals = []

    def after_step(self):
        self.totals.append(self.trainer.storage.latest()["total_loss"][0])


class Colours(nn.Cell):
    """Features that need no training: the mean of every column of an image."""

    def construct(self, images):
        return images.mean(2).reshape(images.shape[0], -1)


def evaluate(items, place, evaluator_of=ReidEvaluator):
    """Score the images, whose number no number of processes divides.

    Args:
        items: (path, pid, camid); the first third are queries.
        place: this process.
        evaluator_of: from a config and a number of queries.
    """
    cfg = get_cfg()
    cfg.TEST.ROC.ENABLED = True
    loader = ReidDataLoader(
        CommDataset(items, relabel=False),
        InferenceSampler(len(items), batch_size=BATCH_SIZE, **place._asdict()),
        batch_size=BATCH_SIZE,
        transforms=Compose([Resize((32, 16)), ToTensor()]),
        pool=WorkerPool(0),
    )
    with loader:
        return inference_on_dataset(
            Colours(), loader, evaluator_of(cfg, len(items) // 3), flip_test=True
        )


def read_items(folder):
    """Images of `write_images`: queries from camera 0, then the gallery."""
    names = [path.name for path in sorted(folder.glob("*.png"))]
    numbers = [(*map(int, name.removesuffix(".png").split("_")), name) for name in names]
    in_order = sorted(numbers, key=lambda each: (each[1] > 0, each))
    return [(str(folder / name), pid, camid) for pid, camid, name in in_order]


def values(model):
    return {parameter.name: parameter.asnumpy().copy() for parameter in model.get_parameters()}


def bits(arrays):
    return {name: np.asarray(array).tobytes() for name, array in arrays.items()}
