"""An audit as METHOD has it, image by image and pair by pair in float64: what the quick one is compared with."""

import numpy as np


def naive_log_ratio(similarity, prior, mates_prior, model):
    """Evidence of one pair."""
    low, high = model.priors
    a, b = sorted((min(max(prior, low), high), min(max(mates_prior, low), high)))
    terms = (1, a, b, a * b, a**2, b**2)
    expected = max(0.0, sum(c * term for c, term in zip(model.coefficients, terms, strict=True)))
    mated = -((similarity - expected) ** 2) / (2 * model.mated_std**2) - np.log(model.mated_std)
    non_mated = -((similarity - model.non_mated_mean) ** 2) / (2 * model.non_mated_std**2) - np.log(model.non_mated_std)
    return min(6.0, max(-6.0, mated - non_mated))


def naive_memberships(embeddings, mates, priors, model, expected):
    """Memberships of images, each with the numbers of its mates; None for one without."""
    embeddings = embeddings.astype(np.float64)
    found = [expected] * len(embeddings)
    ratios = [
        [naive_log_ratio(embeddings[image] @ embeddings[mate], priors[image], priors[mate], model) for mate in own]
        for image, own in enumerate(mates)
    ]
    for _ in range(10):
        before = list(found)
        for image, own in enumerate(mates):
            weight = sum(before[mate] for mate in own)
            says = sum(before[mate] * ratio for mate, ratio in zip(own, ratios[image], strict=True))
            logit = np.log(expected / (1 - expected)) + (min(1, 4 / weight) * says if own else 0)
            found[image] = (before[image] + 1 / (1 + np.exp(-logit))) / 2
    return np.array([value if own else np.nan for value, own in zip(found, mates, strict=True)])


def naive_chance(similarities):
    """Mean and standard deviation of similarities, one by one."""
    values = np.array(list(similarities), np.float64)
    return values.mean(), values.std()
