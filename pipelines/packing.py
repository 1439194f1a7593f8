"""Put several users into one row, so that padding costs almost nothing."""

from __future__ import annotations

import numpy as np


def assign_rows(lengths: np.ndarray, row_length: int) -> tuple[np.ndarray, np.ndarray, int]:
    """First-fit-decreasing packing.

    Args:
        lengths: int [n], events of each sequence, each at most ``row_length``.
        row_length: places in a row.

    Returns:
        row int [n], first place int [n] of every sequence, and the number of rows.
    """
    rows, starts = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64)
    free = np.full(len(lengths), row_length, np.int64)
    used = 0
    for i in np.argsort(-lengths, kind="stable"):
        row = int(np.argmax(free[: used + 1] >= lengths[i]))
        rows[i], starts[i] = row, row_length - free[row]
        free[row] -= lengths[i]
        used = max(used, row + 1)
    return rows, starts, used


def pack(lengths: np.ndarray, row_length: int, *columns: np.ndarray, together: bool = True) -> list[np.ndarray]:
    """Pack flat columns of many sequences into rows.

    Args:
        lengths: int [n].
        row_length: places in a row.
        columns: each [sum(lengths), ...], sequences one after another.
        together: several sequences share a row; False leaves each alone in its row.

    Returns:
        ``segment`` int32 [rows, row_length] (1, 2, ... within each row, 0 = padding), then each column as
        [rows, row_length, ...] with zeros at padding.
    """
    alone = np.arange(len(lengths)), np.zeros(len(lengths), np.int64), len(lengths)
    rows, starts, count = assign_rows(lengths, row_length) if together else alone
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.repeat(rows * row_length + starts, lengths) + within
    order = np.lexsort((starts, rows))
    first_of_row = np.r_[True, rows[order][1:] != rows[order][:-1]]
    position = np.arange(len(order))
    number = np.empty(len(order), np.int32)
    number[order] = position - np.maximum.accumulate(np.where(first_of_row, position, 0)) + 1
    packed = []
    for column in (np.repeat(number, lengths), *columns):
        wide = np.zeros((count * row_length, *column.shape[1:]), column.dtype)
        wide[place] = column
        packed.append(wide.reshape(count, row_length, *column.shape[1:]))
    return packed
