"""What an audit learns from a sample of whole identities: how alike images of one person, of two, and centres are."""

from typing import NamedTuple

import numpy as np

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.kernels.centres import (
    Chance,
    centres_of,
    chance_of_image,
    chance_of_pair,
    histograms,
    weighted_sums_of_groups,
)
from fiqa_spark.kernels.margin import mate_weights
from fiqa_spark.kernels.membership_fit import MembershipModel, learned_memberships
from fiqa_spark.kernels.pair_draws import non_mated_matches
from fiqa_spark.kernels.prior import prior_margins
from fiqa_spark.kernels.settled_margins import settled_margins
from fiqa_spark.matching.sample import UsableImages
from fiqa_spark.methods.identities.settings import AuditSettings
from fiqa_spark.methods.margin.learning import Learned

_NON_MATED_PAIRS = 100_000
# Of all pairs looked at for them; most are of two identities.
_PAIRS_LOOKED_AT = 1_000_000
# Centres, and images, from which chance is learned.
_CENTRES, _IMAGES = 20_000, 20_000
_BINS = 100
_REMEDY = "give the images of more people, or the `reference` of an earlier audit"
_LESS_EVIDENCE = f"lower `least_evidence`, {_REMEDY}"


class Chances(NamedTuple):
    """What comes about by chance, and by how much images of one person differ from that."""

    of_image: Chance
    """Of an image and the centre of another identity."""
    of_pair: Chance
    """Of the centres of two identities."""
    densities: dict[str, list[int]]
    """Histograms of similarities over [-1, 1] in equal bins: of images with their own centre (``own``), with those of
    others (``others``), and of centres with each other (``centres``)."""


class _Sample(NamedTuple):
    """Images of whole identities, identity by identity, with what margins tell of them."""

    embeddings: np.ndarray
    owners: np.ndarray
    """Hash of the identity of each image."""
    image_hashes: np.ndarray
    sizes: np.ndarray
    """Number of images of each identity."""
    priors: np.ndarray
    margins: np.ndarray


def learn_audit(sample: UsableImages, learned: Learned, settings: AuditSettings) -> tuple[MembershipModel, Chances]:
    """Learn what memberships are measured by, and what chance gives.

    Parameters
    ----------
    sample : UsableImages
        From `margin.learning.draw`.
    learned : Learned
        From the same sample, or from an earlier run.

    Raises
    ------
    InputError
        If nothing can be learned from them.
    """
    known = _known(sample, learned, settings)
    if len(known.sizes) < 2:
        raise _nothing_to_learn(f"the sample is of {len(known.sizes)} identities, where 2 with mates are needed")
    try:
        model, found = learned_memberships(known.embeddings, known.sizes, known.priors, _non_mated(known))
    except ValueError as error:
        raise _nothing_to_learn(str(error)) from None
    return model, _chances(known, found, learned, settings)


def _nothing_to_learn(reason: str, remedy: str = _REMEDY) -> InputError:
    return InputError(f"nothing can be learned from them: {reason}", setting="feature_root", remedy=remedy)


def _known(sample: UsableImages, learned: Learned, settings: AuditSettings) -> _Sample:
    """The sample with its priors and margins."""
    embeddings, reference = sample.embeddings, learned.reference
    owners, image_hashes = (
        sample.frame[name].to_numpy(np.int64) for name in (schemas.IDENTITY_HASH, schemas.IMAGE_HASH)
    )
    firsts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1])[: len(owners)])
    sizes = np.diff(firsts, append=len(owners))
    priors = prior_margins(embeddings, sample.norms, sample.frame[schemas.FOLD].to_numpy(np.intp), reference.prior)
    strangers = learned.strangers.similarities(embeddings, owners, np.ones(len(owners), bool))
    margins, _ = settled_margins(
        *(embeddings, sizes, strangers, priors),
        lo=reference.lo,
        hi=reference.hi,
        kappa=settings.prior_weight,
        max_mates=len(owners),
    )
    return _Sample(embeddings, owners, image_hashes, sizes, priors, margins)


def _non_mated(known: _Sample) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the images of random pairs of different identities."""
    at_random = np.argsort(known.image_hashes, kind="stable")
    matches = min(_PAIRS_LOOKED_AT, len(at_random) * (len(at_random) - 1) // 2)
    first, second = non_mated_matches(known.owners[at_random], matches, _NON_MATED_PAIRS)
    return at_random[first], at_random[second]


def _chances(known: _Sample, memberships: np.ndarray, learned: Learned, settings: AuditSettings) -> Chances:
    """What centres of the sample that have enough evidence have in common with other images, and with each other."""
    weights = mate_weights(known.margins, lo=learned.reference.lo, hi=learned.reference.hi) * memberships
    centres = centres_of(*weighted_sums_of_groups(known.embeddings, known.sizes, weights))
    chosen = np.flatnonzero(centres.evidence >= settings.least_evidence)[:_CENTRES]
    if len(chosen) < 2:
        raise _nothing_to_learn(
            f"of {len(known.sizes)} identities of the sample {len(chosen)} have evidence of "
            f"{settings.least_evidence:g} or more, where 2 are needed",
            _LESS_EVIDENCE,
        )
    identities = known.owners[np.cumsum(known.sizes) - known.sizes][chosen]
    of_images = known.embeddings[:_IMAGES], known.owners[:_IMAGES], centres.directions[chosen], identities
    counted = histograms(*of_images, _BINS)
    densities = {name: counts.tolist() for name, counts in counted.items()}
    return Chances(chance_of_image(*of_images), chance_of_pair(centres.directions[chosen]), densities)
