"""What others published under the same protocols: HR@10 and NDCG@10 over the whole catalogue.

The numbers are those of the project's evaluation notes, which collected them from the systems' papers and re-runs.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """A row of somebody else's table.

    Attributes:
        system: with its form of training.
        request_time: whether the model knew the moment of the question.
        hr, ndcg: at 10.
    """

    system: str
    request_time: bool
    hr: float
    ndcg: float


_ROWS: dict[tuple[str, str], list[Published]] = {
    ("movielens-1m", "P2"): [
        Published("BERT4Rec, well trained", False, 0.2843, 0.1537),
        Published("gSASRec", False, 0.3003, 0.1726),
        Published("SASRec, full cross-entropy", False, 0.3152, 0.1821),
        Published("SASRec, 3,000 negatives", False, 0.3159, 0.1857),
        Published("ICSRec (histories of 50)", False, 0.3369, 0.2007),
    ],
    ("movielens-1m", "P3"): [
        Published("SASRec, sampled softmax", False, 0.2929, 0.1684),
        Published("eSASRec", False, 0.3133, 0.1772),
        Published("HSTU", True, 0.3037, 0.1719),
        Published("FuXi-alpha", True, 0.3164, 0.1813),
        Published("HSTU-large (other order of ties)", True, 0.3294, 0.1893),
    ],
    ("s3rec-beauty", "S3"): [
        Published("SASRec", False, 0.0605, 0.0318),
        Published("S3-Rec", False, 0.0647, 0.0327),
        Published("ICLRec", False, 0.0744, 0.0403),
        Published("ICSRec", False, 0.0959, 0.0578),
    ],
    ("s3rec-yelp", "S3"): [
        Published("SASRec", False, 0.0274, 0.0136),
        Published("S3-Rec", False, 0.0341, 0.0168),
        Published("ICLRec", False, 0.0409, 0.0207),
    ],
}


def published_under(dataset: str, protocol: str) -> list[Published]:
    """Rows of others for a data set and protocol, weakest first; empty where we know of none."""
    return sorted(_ROWS.get((dataset, protocol), []), key=lambda row: row.ndcg)
