"""What stays of findings that overlap."""

from spanmill.pii.search import Found


def without_overlaps(found: list[Found]) -> list[Found]:
    """The longest stays whole, of equally long ones that of the first detector, then the first in the text; of the
    others what is not covered. In order of start."""
    found.sort()
    kept: list[Found] = []
    cluster, reach = [found[0]], found[0][1]
    for one in found[1:]:
        if one[0] < reach:
            cluster.append(one)
            reach = max(reach, one[1])
        else:
            kept += _resolved(cluster)
            cluster, reach = [one], one[1]
    return kept + _resolved(cluster)


def _resolved(cluster: list[Found]) -> list[Found]:
    if len(cluster) == 1:
        return cluster
    kept: list[Found] = []
    for start, end, detector in sorted(cluster, key=lambda one: (one[0] - one[1], one[2], one[0])):
        pieces = [(start, end)]
        for first, last, _ in kept:
            pieces = [
                piece
                for begin, stop in pieces
                for piece in ((begin, min(stop, first)), (max(begin, last), stop))
                if piece[0] < piece[1]
            ]
        kept += [(begin, stop, detector) for begin, stop in pieces]
    return sorted(kept)
