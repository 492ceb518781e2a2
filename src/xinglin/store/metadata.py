"""What the files of tables share: one metadata, and the type of large row numbers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()

RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""Row numbers beyond 2^31; SQLite's own row number must be called INTEGER."""
