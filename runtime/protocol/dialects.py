"""The dialects by name."""

from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.semi_ate import SEMI_ATE
from drycell.runtime.protocol.specification import SPECIFICATION

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (SEMI_ATE, SPECIFICATION)}
