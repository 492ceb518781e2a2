"""English words inside a mention that carry no meaning of their own: my, has, gone, really."""

from __future__ import annotations

import re

ENGLISH = (
    r"(?<![a-z'-])(?:my|his|her|the|their|our|your|its|this|that|a|an|some|is|are|was|were|am|been|being|has|"
    r"have|had|very|really|so|quite|extremely|terribly|awfully|incredibly|pretty|rather|completely|totally|"
    r"absolutely|slightly|bit|just|now|suddenly|still|also|both|got|gets|getting|gone|went|going|goes|turned|"
    r"turning|become|becoming|became|feels?|feeling|felt|looks?|looking|looked|seems?|keeps?|kept|started|"
    r"starts|begun|began|own) +"
)
ENGLISH_FILLER = re.compile(ENGLISH)
