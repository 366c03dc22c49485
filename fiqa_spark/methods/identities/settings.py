"""Settings of the audit of identities."""

from dataclasses import dataclass

from fiqa_spark.methods.margin.settings import MarginReferenceSettings, MarginSettings
from fiqa_spark.runtime.settings import fields_of, setting


@dataclass(frozen=True)
class AuditSettings(MarginReferenceSettings):
    """How identities are audited from two DataFrames; see `fiqa_spark.audit_identities`."""

    suspect_below: float = setting(
        0.5, "membership below which an image is looked for among other identities", least=0, most=1
    )
    chance_image: float = setting(
        0.001,
        "share of images that find another identity by chance, which sets how similar one must be",
        above=0,
        most=0.5,
    )
    chance_pair: float = setting(
        0.01,
        "number of pairs of identities that are alike by chance in all, which sets how similar they must be",
        above=0,
        most=0.5,
    )
    least_evidence: float = setting(
        0.3, "evidence from which an identity can be another's or that of an image; a good image counts 1", least=0
    )
    candidates: int = setting(3, "identities that an identity names at most, the most similar ones", least=1, most=1000)


def margin_settings(settings: AuditSettings) -> MarginSettings:
    """The settings of margins, among whole identities."""
    return MarginSettings(**{item.name: getattr(settings, item.name) for item in fields_of(MarginReferenceSettings)})
