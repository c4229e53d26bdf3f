"""The one error of this room: what is wrong, where, and what would be right."""


class StdfError(Exception):
    """STDF bytes or values that break the format, or a request that STDF cannot express.

    ``str(error)`` is one sentence. The parts are attributes too: ``problem`` and ``right`` (what would be right),
    ``record`` (for example "PTR"), ``field``, ``number`` (1 for the first record of the file), ``offset`` (byte
    offset of the record's header in the file) and ``site``; what is not known is None or "".
    """

    def __init__(
        self,
        problem: str,
        *,
        right: str = "",
        record: str = "",
        field: str = "",
        number: int | None = None,
        offset: int | None = None,
        site: int | None = None,
    ) -> None:
        self.problem = problem
        self.right = right
        self.record = record
        self.field = field
        self.number = number
        self.offset = offset
        self.site = site
        super().__init__(problem)

    def __str__(self) -> str:
        where = []
        if self.number is not None:
            where.append(f"record {self.number}" + (f" ({self.record})" if self.record else ""))
        elif self.record:
            where.append(self.record)
        if self.offset is not None:
            where.append(f"at byte {self.offset}")
        if self.site is not None:
            where.append(f"of site {self.site}")
        place = " ".join(where)
        if self.field:
            place = f"{place}, field {self.field}" if place else f"field {self.field}"
        sentence = f"{place}: {self.problem}" if place else self.problem
        return f"{sentence}; {self.right}" if self.right else sentence

    def at(self, *, record: str = "", number: int | None = None, offset: int | None = None) -> "StdfError":
        """The same error, with the place that only the caller knows."""
        return StdfError(
            self.problem,
            right=self.right,
            record=self.record or record,
            field=self.field,
            number=self.number if number is None else number,
            offset=self.offset if offset is None else offset,
            site=self.site,
        )
