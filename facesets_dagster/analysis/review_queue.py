"""What a person could be asked, most worth an answer first: the domain call behind `review_queue`.

Reads registry and caches; opens no photo and changes nothing. What a ruling in force answers is not asked.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facesets_dagster.analysis.doubtful_faces import find_doubts
from facesets_dagster.analysis.inventory import Inventory
from facesets_dagster.analysis.review_pieces import Piece, Pieces, pieces_of
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.identities.bindings import Bindings, united
from facesets_dagster.identities.cards import IMPORTANT, MOST_CANDIDATES, NEW, Card, by_value, made, valued
from facesets_dagster.identities.chances import Chances, Likeness, rows_of, started
from facesets_dagster.identities.doubts import Margins
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.pairs import near_pairs
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.identities.told_answers import told_in
from facesets_dagster.library.bindings import bindings_of, known_rulings
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.standing import two_people
from facesets_dagster.registry.rulings import rulings_in_force

_STRANGERS = 100
"""People of one photo on a card, so that a person can look at all of them."""
_HARDLY = 0.02
"""P(contradiction) of what nothing speaks against."""
_KNOWN = 40
_SPARE = 3
"""So many times the cards that are kept are looked at closely."""


@dataclass(frozen=True, kw_only=True)
class QueueNumbers:
    """Cosine distances 0..2."""

    cover_distance: float
    outlier_distance: float
    cluster_distance: float
    calibrated_distance: float
    """Of average linkage, as the pack's calibration chose it: where the curve starts."""
    reach: float
    """So far beyond `cover_distance` pairs are asked about."""
    sharp_at: float
    most_cards: int


def find_cards(
    inventory: Inventory, library: Library, pack: ModelPack, numbers: QueueNumbers, years: Mapping[str, int]
) -> list[Card]:
    """By value, `most_cards` at most, known ones last. Raises `ModelMismatch` for faces of another model.

    `years`: content digest -> year of the photo, where it is known.
    """
    told = told_in(rulings_in_force(library.registry), pack.model_id)
    chances = started(numbers.calibrated_distance).learnt(told)
    found = _Finder(inventory, library, pack, numbers, chances, years)
    pairs = [valued(card, chances) for card in (*found.near(), *found.doubtful())]
    singles = [*pairs, *_grids(pairs)]
    others = [*found.strangers(), *found.approvals(pairs)]
    cards = by_value(valued(card, chances) for card in _once([*singles, *others]))
    known = [valued(card, chances) for card in found.known()]
    return [*[card for card in cards if card.value > 0][: numbers.most_cards], *known]


def _once(cards: Sequence[Card]) -> list[Card]:
    """One of each question."""
    return list({card.card_id: card for card in reversed(cards)}.values())


def _grids(pairs: Sequence[Card]) -> Iterator[Card]:
    """Two and more pairs of one person as one card: the likeliest of its candidates."""
    mine: dict[tuple[str, bool], list[Card]] = defaultdict(list)
    for card in pairs:
        if card.kind == "pair" and card.sides[0].name is not None and not card.sides[0].piece:
            mine[card.sides[0].key, card.joined].append(card)
    for (_, joined), cards in sorted(mine.items()):
        if len(cards) < 2:
            continue
        best = sorted(cards, key=lambda card: (-card.chance, card.card_id))[:MOST_CANDIDATES]
        first = best[0].sides[0]
        if joined:  # the whole person: each candidate is a piece of it
            first = replace(first, size=first.size + best[0].sides[1].size)
        yield made(
            "who_not" if joined else "who_else",
            (first, *(card.sides[1] for card in best)),
            likenesses=tuple(card.likenesses[0] for card in best),
            joined=joined,
            weight=max(card.weight for card in best),
        )


class _Finder:
    """Cards of each origin."""

    def __init__(
        self,
        inventory: Inventory,
        library: Library,
        pack: ModelPack,
        numbers: QueueNumbers,
        chances: Chances,
        years: Mapping[str, int],
    ) -> None:
        self._inventory, self._library, self._pack, self._numbers = inventory, library, pack, numbers
        margins = Margins(numbers.reach, numbers.cover_distance, numbers.outlier_distance)
        self._doubts = find_doubts(inventory, library, pack, margins)
        self._pieces: Pieces = pieces_of(
            inventory,
            library,
            pack,
            cluster_distance=numbers.cluster_distance,
            sharp_at=numbers.sharp_at,
            years=years,
        )
        self._chances = chances
        self._means = np.array([self._pieces.mean(piece) for piece in self._pieces.all]).reshape(-1, pack.dim)
        least = 1 - numbers.cover_distance - numbers.reach
        near = [np.stack([one, other], axis=1) for one, other, _ in near_pairs(normalised(self._means), least)]
        self._near = np.concatenate([np.zeros((0, 2), np.int64), *near])
        """(m, 2): places of pieces that are near each other."""
        buckets = sorted(inventory.faces["bucket"].unique().to_list())
        self._said: Bindings = united(bindings_of(library, bucket, pack.model_id, pack.dim) for bucket in buckets)
        self._rulings: Sequence[Ruling] = known_rulings(library.registry)
        self._exported = {name for name, digest in library.registry.manifest_digests().items() if digest}

    def near(self) -> Iterator[Card]:
        """People and groups that are near each other, and are not one: the most valuable by distance and sizes."""
        pieces, pairs = self._pieces.all, self._near
        means = [self._means[pairs[:, side]] for side in (0, 1)]
        sizes = np.array([len(piece.rows) for piece in pieces])[pairs]
        rows = np.zeros((len(pairs), len(rows_of([Likeness(distance=1, smaller=1)])[0])))
        rows[:, 0], rows[:, 1] = 1, 1 - np.einsum("md,md->m", *means)
        rows[:, 2] = np.log2(sizes.min(axis=1, initial=1 << 30))
        worth = self._chances.of_rows(rows) * 2 * sizes.prod(axis=1) / sizes.sum(axis=1)
        two, left = two_people(self._library), _SPARE * self._numbers.most_cards
        for one, other in pairs[np.argsort(-worth, kind="stable")].tolist():
            if left and not self._is_said(pieces[one], pieces[other], two):
                left -= 1
                yield self._pair(pieces[one], pieces[other], joined=False)

    def doubtful(self) -> Iterator[Card]:
        """Members that could be somebody else, joins that were made, faces between two people, twice in one photo."""
        for row in self._doubts.iter_rows(named=True):
            whole = self._pieces.people.get(row["identity"])
            faces = [face for face in row["face_ids"] if face in self._pieces.row_of]
            if whole is None or not faces or self._pieces.row_of[faces[0]] not in whole.rows:
                continue
            piece = self._pieces.some(row["identity"], faces)
            rest = self._pieces.without(whole, piece)
            if not rest.rows:
                continue
            if row["kind"] in ("near_join", "near_outlier"):
                yield self._pair(rest, piece, joined=True)
            elif row["kind"] == "between_two" and row["other"] in self._pieces.people:
                yield self._of_three("look_alikes", piece, rest, self._pieces.people[row["other"]], None)
            elif row["kind"] == "same_photo":
                other = self._pieces.some(row["identity"], [row["other_face_id"]])
                yield self._of_three("impossible_pair", whole, piece, other, 0.5)

    def strangers(self) -> Iterator[Card]:
        """People of one photo whom nobody is near."""
        pieces, near = self._pieces, set(self._near.ravel().tolist())
        lonely = [
            piece
            for place, piece in enumerate(pieces.all)
            if piece.name is None and place not in near and len(pieces.photos(piece)) == 1 and not self._is_known(piece)
        ]
        for start in range(0, len(lonely), _STRANGERS):
            sides = [pieces.side(piece) for piece in lonely[start : start + _STRANGERS]]
            yield made("ignore_strangers", sides, fixed=_HARDLY)

    def approvals(self, pairs: Sequence[Card]) -> Iterator[Card]:
        """People who were never approved, and those who grew since."""
        doubt: dict[str, float] = defaultdict(lambda: _HARDLY)  # the share that is expected to be wrong
        for card in (card for card in pairs if card.joined):
            whole = card.sides[0].name or card.sides[0].key
            share = card.sides[1].size / len(self._pieces.people[whole].rows)
            doubt[whole] = max(doubt[whole], card.chance * share)
        approved = {one.identity: one.payload.get("members") for one in self._rulings if one.kind == "approve"}
        for name, piece in self._pieces.people.items():
            seen = approved.get(name, [])
            grown = [face for face in self._pieces.ids(piece) if isinstance(seen, list) and face not in seen]
            if name in approved and not grown:
                continue
            sides, weight = [self._pieces.side(piece)], self._weight(piece)
            if name in approved:
                sides.append(self._pieces.side(self._pieces.some(name, grown)))
                weight *= NEW
            share = len(grown) / len(piece.rows)
            yield made("approve", sides, fixed=doubt[name] * share, weight=weight)

    def known(self) -> list[Card]:
        """Pairs of which folders sorted by hand say who they are: two halves of a person, two people."""
        sorted_by_hand = [one for one in self._inventory.identities.values() if one.kind == "hand_sorted"]
        people = [
            self._pieces.people[one.name] for one in _by_number(sorted_by_hand) if one.name in self._pieces.people
        ]
        found: list[Card] = []
        for place, piece in enumerate(people[:_KNOWN]):
            if len(piece.rows) >= 4:
                half = Piece(piece.name, piece.rows[::2], part=True)
                found.append(self._pair(self._pieces.without(piece, half), half, joined=True, kind="known", truth=True))
            if place:
                found.append(self._pair(people[place - 1], piece, joined=False, kind="known", truth=False))
        return found

    def _pair(self, first: Piece, second: Piece, *, joined: bool, kind: str = "pair", **values: object) -> Card:
        """The larger one first, but for pieces."""
        if not joined and (first.name is None, -len(first.rows)) > (second.name is None, -len(second.rows)):
            first, second = second, first
        sides = (self._pieces.side(first), self._pieces.side(second))
        likeness, weight = self._pieces.likeness(first, second), self._weight(first, second)
        return made(kind, sides, likenesses=(likeness,), joined=joined, weight=weight, **values)

    def _of_three(self, kind: str, first: Piece, second: Piece, third: Piece, fixed: float | None) -> Card:
        sides = [self._pieces.side(piece) for piece in (first, second, third)]
        likenesses = tuple(self._pieces.likeness(first, piece) for piece in (second, third))
        return made(kind, sides, likenesses=likenesses, joined=True, fixed=fixed, weight=self._weight(first, second))

    def _weight(self, *pieces: Piece) -> float:
        names = {piece.name for piece in pieces if piece.name is not None}
        labelled = any(self._inventory.identities[name].label for name in names if name in self._inventory.identities)
        return IMPORTANT if labelled or names & self._exported else 1.0

    def _is_known(self, piece: Piece) -> bool:
        ids = self._pieces.ids(piece)
        return any(face in self._said.belongs or face in self._said.ignored for face in ids)

    def _is_said(self, first: Piece, second: Piece, two: set[tuple[str, str]]) -> bool:
        """Whether a ruling says that they are two people, or whose the faces are."""
        if first.name is not None and second.name is not None:
            families = {self._inventory.identities[name].family for name in (first.name, second.name)}
            return len(families) == 1 or (min(first.name, second.name), max(first.name, second.name)) in two
        if first.name is None and second.name is None:
            ours, theirs = self._pieces.ids(first), self._pieces.ids(second)
            return any((min(a, b), max(a, b)) in self._said.apart for a in ours for b in theirs)
        person, free = (first, second) if first.name is not None else (second, first)
        refused = (self._said.refused.get(face, frozenset()) for face in self._pieces.ids(free))
        return self._is_known(free) or any(person.name in names for names in refused)


def _by_number(people: Sequence[Identity]) -> list[Identity]:
    return sorted(people, key=lambda one: one.number)
