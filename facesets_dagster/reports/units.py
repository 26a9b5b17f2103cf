"""Units and legends of the numbers that pages show. A number without an entry here has no place on a page."""

DISTANCE = "cosine distance, 0 to 2"
UNITS = {
    "cover_distance": DISTANCE,
    "cluster_distance": DISTANCE,
    "rematch_distance": DISTANCE,
    "outlier_distance": DISTANCE,
    "merge_distance": DISTANCE,
    "near_duplicate_similarity": "cosine similarity, -1 to 1",
    "min_face_short_px": "px, shorter side of the face's box",
    "min_blur": "sharpness: variance of the Laplacian",
    "min_det_score": "the detector's confidence, 0 to 1",
    "min_faces": "distinct photos; copies count once",
    "outlier_min_size": "faces",
    "min_clustered_px": "px, shorter side of the face's box",
    "min_quality": "length of the raw embedding over that of a good face",
    "join_two_faces": DISTANCE,
    "join_face_and_group": DISTANCE,
    "join_two_groups": DISTANCE,
    "look_similarity": "cosine similarity, -1 to 1",
    "join_quality_gain": "cosine distance for each unit of quality that is lacking",
    "blur_at_px": "px, shorter side of the face at which min_blur is compared",
    "good_norm": "length of the raw embedding of a good face",
    "fill_to": "pictures",
    "fill_floor_px": "px, shorter side of the face's box",
    "variety": "weight, 0 to 1",
    "session_similarity": "cosine similarity, -1 to 1",
    "top_n": "faces",
    "crop_px": "px, side of a picture",
    "crop_padding": "of the longer side of the face's box, added on each side",
}
"""Parameter of the main chain, and of refined_library -> its unit."""
MEDIANS = {
    "face_short": ("shorter side of a face", "{:.0f} px"),
    "det_score": ("the detector's confidence", "{:.2f} of 1"),
    "blur": ("sharpness (variance of the Laplacian)", "{:.0f}"),
}
"""Column of the face table -> what it is, and how its median is written."""
RANK = (
    "Below each face its rank and its score, best first: 0 to 1 among the faces of the person, from the detector's "
    "confidence (30 %), size (20 %), sharpness (20 %), frontality (15 %) and symmetry (15 %). The top comes "
    "first, then the others; a face marked filled is smaller than the export gate and fills the set up."
)
EXPORT_COLUMNS = (
    "input: members of the person; outlier drop: members too far from the centroid; other drops: too small, "
    "near-duplicates, second faces of a photo, failed crops; exported PNGs: pictures in the faceset; filled: of "
    "these, smaller than the export gate, because too few others pass it."
)
