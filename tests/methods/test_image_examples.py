"""A few images and identities: those that a run looks at once more, and no others."""

import numpy as np
import pandas as pd
import pytest

from fiqa_spark import schemas
from fiqa_spark.matching.identity_batches import Rows
from fiqa_spark.methods.image_examples import examples_of, missing_paths, unfit_identity


def gathered(identities, statuses):
    """Examples of images with these identities, each of which is another one's, in lists."""
    count = len(identities)
    frame = pd.DataFrame({schemas.IDENTITY: identities, schemas.PATH: [f"{number}.jpg" for number in range(count)]})
    rows = Rows(frame, np.zeros((count, 1), np.float32), np.ones(count), np.ones(count, bool))
    found = examples_of(rows, np.array(statuses, object), list(range(count)))
    return {name: list(texts) for name, texts in found.items()}


def test_images_without_a_feature_are_told():
    statuses = [schemas.OK, schemas.MISSING_FEATURE, schemas.INVALID_FEATURE, schemas.MISSING_FEATURE]
    assert missing_paths(gathered(["a", "b", "c", "d"], statuses)) == ["1.jpg", "3.jpg"]


@pytest.mark.parametrize("identity", ["é" * 41, "", "__HIVE_DEFAULT_PARTITION__"])
def test_an_identity_that_is_no_name_of_a_folder_is_told(identity):
    found = gathered(["a", identity], [schemas.OK] * 2)
    assert unfit_identity(found, only_ascii=False) == identity


def test_other_letters_matter_where_names_are_ascii():
    found = gathered(["a", "é" * 40], [schemas.OK] * 2)
    assert unfit_identity(found, only_ascii=False) is None
    assert unfit_identity(found, only_ascii=True) == "é" * 40
