"""Every interleaving of publishers and collectors, with ends anywhere: is anything lost that was reported?

A small model of docs/store-format.md, "Collecting", for one blob. Publishers introduce a version that refers to the blob,
which may lie there already, unreferenced. Collectors condemn, read the roots again, delete, take their marker down. Each step
is one operation on the store. A process may end after any step; markers of the ended may be removed at any time.

    lost        a version whose publisher reported success, and no blob, in the end
    orphaned    a version, no blob, and nobody left who would notice: of a publisher that ended before it looked

Without locks nothing reported is lost; with them nothing is orphaned either. Known wrong orders are walked through as well,
so that the model is seen to find what is wrong with them.
"""
import collections
import unittest

END = 99


class Rules:
    """What is left out, to see it fail."""

    def __init__(self, locks=True, again=True, look=True, own_markers=True, crash=True):
        self.locks, self.again, self.look, self.own_markers, self.crash = locks, again, look, own_markers, crash


# state: blob, version, markers (of each collector), locks: shared (of each publisher), exclusive (index or -1),
#        reported, stale: somebody has seen the marker of an ended one and is about to remove it; publisher, collector steps
State = collections.namedtuple("State", "blob version markers shared exclusive reported stale writers collectors")


def put(values, i, value):
    return values[:i] + (value,) + values[i + 1:]


def writer_steps(s, i, rules):
    pc = s.writers[i]

    def go(to, **changes):
        return s._replace(writers=put(s.writers, i, to), **changes)

    if pc == 0:  # take the shared lock (publishers of a new file lock it before it has its name)
        if not rules.locks or s.exclusive < 0:
            yield go(1, shared=put(s.shared, i, rules.locks))
    elif pc == 1:  # the blob is there, under its name
        yield go(2, blob=True)
    elif pc == 2:
        yield go(3 if rules.look else 5, version=True)
    elif pc == 3:  # no marker stands, else wait
        if not any(s.markers):
            yield go(4)
    elif pc == 4:  # still there, else put it back and look again
        yield go(5) if s.blob else go(3, blob=True)
    elif pc == 5:
        yield go(END, reported=True, shared=put(s.shared, i, False))
    if rules.crash and pc != END:
        yield go(END, shared=put(s.shared, i, False))


def collector_steps(s, i, rules):
    pc = s.collectors[i]

    def go(to, **changes):
        return s._replace(collectors=put(s.collectors, i, to), **changes)

    def unlock():
        return -1 if s.exclusive == i else s.exclusive

    if pc == 0:  # roots
        yield go(END if s.version else 1)
    elif pc == 1:  # lock, if nobody holds it
        if not rules.locks:
            yield go(2)
        elif s.exclusive < 0 and not any(s.shared):
            yield go(2, exclusive=i)
        else:
            yield go(END)
    elif pc == 2:
        if rules.own_markers or not any(s.markers):
            yield go(3, markers=put(s.markers, i, True))
        else:  # one name for all: it is taken
            yield go(END, exclusive=unlock())
    elif pc == 3:  # roots again
        yield go(5 if rules.again and s.version else 4)
    elif pc == 4:
        yield go(5, blob=False)
    elif pc == 5:
        markers = put(s.markers, i, False) if rules.own_markers else (False,) * len(s.markers)
        yield go(END, markers=markers, exclusive=unlock())
    if rules.crash and pc != END:
        yield go(END, exclusive=unlock())


def sweeper_steps(s, rules):
    for i, pc in enumerate(s.collectors):
        if s.markers[i] and pc == END:
            if rules.own_markers:
                yield s._replace(markers=put(s.markers, i, False))
            elif not s.stale:
                yield s._replace(stale=True)
    if s.stale and any(s.markers):  # it removes the name, which by now may be another's
        yield s._replace(markers=(False,) * len(s.markers))


def walk(rules, writers=2, collectors=2):
    """States, and in how many ends something is lost, orphaned."""
    seen, lost, orphaned = set(), 0, 0
    queue = collections.deque(
        State(blob, False, (False,) * collectors, (False,) * writers, -1, False, False, (0,) * writers, (0,) * collectors)
        for blob in (False, True))
    while queue:
        s = queue.popleft()
        if s in seen:
            continue
        seen.add(s)
        following = [n for i in range(writers) for n in writer_steps(s, i, rules)]
        following += [n for i in range(collectors) for n in collector_steps(s, i, rules)]
        following += list(sweeper_steps(s, rules))
        queue.extend(following)
        if not following:
            lost += s.reported and not s.blob
            orphaned += s.version and not s.blob
    return len(seen), lost, orphaned


class Model(unittest.TestCase):
    def test_with_locks_nothing_is_lost_or_orphaned(self):
        states, lost, orphaned = walk(Rules())
        self.assertGreater(states, 1000)
        self.assertEqual((lost, orphaned), (0, 0))

    def test_without_locks_nothing_reported_is_lost_to_collectors_that_end_anywhere(self):
        # one publisher: another's look at a hit is the same look
        states, lost, _ = walk(Rules(locks=False), writers=1)
        self.assertGreater(states, 100)
        self.assertEqual(lost, 0)

    def test_without_locks_two_publishers_that_both_look(self):
        self.assertEqual(walk(Rules(locks=False))[1], 0)

    def test_the_gap_that_locks_close(self):
        self.assertGreater(walk(Rules(locks=False), writers=1)[2], 0)

    def test_mark_and_sweep_loses(self):
        self.assertGreater(walk(Rules(locks=False, again=False, look=False), writers=1)[1], 0)

    def test_without_the_second_reading_of_roots(self):
        self.assertGreater(walk(Rules(locks=False, again=False), writers=1)[2], 0)

    def test_without_the_look_after_publishing(self):
        self.assertGreater(walk(Rules(locks=False, look=False), writers=1)[1], 0)

    def test_one_marker_for_all_loses(self):
        self.assertGreater(walk(Rules(locks=False, own_markers=False), writers=1)[1], 0)


if __name__ == "__main__":
    unittest.main()
