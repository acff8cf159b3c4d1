"""The regions of the cortex in the parcellation of Glasser and others, in one order for all sources."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from perdure.core.errors import UnknownNameError

__all__ = ["REGIONS", "find_regions", "plain_name"]

AREAS = tuple(
    (  # noqa: SIM905 - a list takes 180 lines
        "V1 MST V6 V2 V3 V4 V8 4 3b FEF PEF 55b V3A RSC POS2 V7 IPS1 FFC V3B LO1 LO2 PIT MT A1 PSL SFL PCV STV "
        "7Pm 7m POS1 23d v23ab d23ab 31pv 5m 5mv 23c 5L 24dd 24dv 7AL SCEF 6ma 7Am 7PL 7PC LIPv VIP MIP 1 2 3a "
        "6d 6mp 6v p24pr 33pr a24pr p32pr a24 d32 8BM p32 10r 47m 8Av 8Ad 9m 8BL 9p 10d 8C 44 45 47l a47r 6r "
        "IFJa IFJp IFSp IFSa p9-46v 46 a9-46v 9-46d 9a 10v a10p 10pp 11l 13l OFC 47s LIPd 6a i6-8 s6-8 43 OP4 "
        "OP1 OP2-3 52 RI PFcm PoI2 TA2 FOP4 MI Pir AVI AAIC FOP1 FOP3 FOP2 PFt AIP EC PreS H ProS PeEc STGa "
        "PBelt A5 PHA1 PHA3 STSda STSdp STSvp TGd TE1a TE1p TE2a TF TE2p PHT PH TPOJ1 TPOJ2 TPOJ3 DVT PGp IP2 "
        "IP1 IP0 PFop PF PFm PGi PGs V6A VMV1 VMV3 PHA2 V4t FST V3CD LO3 VMV2 31pd 31a VVC 25 s32 pOFC PoI1 Ig "
        "FOP5 p10p p47r TGv MBelt LBelt A4 STSva TE1m PI a32pr p24"
    ).split(" ")
)
"""The areas of a hemisphere, in the order of their numbers in the paper."""

REGIONS = tuple(f"{side}_{area}" for side in "LR" for area in AREAS)
"""Left, then right. Arrays of other sources may begin with the right: join them by name, never by place."""


def plain_name(name: str) -> str:
    """Remove the suffix that some files add to the name of a region.

    Args:
        name: Name in a file.

    Returns:
        The name.

    Example:
        >>> plain_name("R_V1_ROI")
        'R_V1'
    """
    return name.strip().removesuffix("_ROI")


def find_regions(names: Sequence[str], source: object) -> Int[np.ndarray, " region"]:
    """Find each of `REGIONS` among the names of a source.

    Args:
        names: Names in the order of the source.
        source: Source that messages name.

    Returns:
        Positions among the names.

    Raises:
        UnknownNameError: When a region is missing, or a name is that of no region or occurs twice.

    Reference:
        glasser2016multimodal

    Example:
        >>> find_regions(REGIONS[180:] + REGIONS[:180], "right first")[:2].tolist()
        [180, 181]
    """
    place = {plain_name(name): i for i, name in enumerate(names)}
    unknown = sorted({*place} - {*REGIONS})
    missing = [name for name in REGIONS if name not in place]
    if unknown or missing or len(place) < len(names):
        result = (
            f"the unknown region '{unknown[0]}'" if unknown else f"no region '{missing[0]}'" if missing else "a twin"
        )
        raise UnknownNameError(
            f"'{source}' names {len(names)} regions, among them {result}",
            f"give each of the {len(REGIONS)} regions of the parcellation once, named as '{REGIONS[0]}' or 'R_V1'",
        )
    return np.array([place[name] for name in REGIONS])
