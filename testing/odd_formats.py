"""What becomes of the odd files among the shared `formats/`."""

REFUSED = {
    "bad/broken.png": "unreadable",
    "bad/combined_larger_than_size.psd": "unreadable",
    "bad/crash-0e16d3bfb83be87356d026d66919deaefca44dac.tif": "unreadable",
    "bad/crash-2020-10-test.tif": "unreadable",
    "bad/crash-63b1dffefc8c075ddc606c0a2f5fdc15ece78863.tif": "unreadable",
    "bad/decompression_bomb.gif": "too_large",
    "bad/decompression_bomb.ico": "too_large",
    "bad/heif_corrupted_corrupted.heic": "unreadable",
    "bad/heif_corrupted_corrupted.hif": "unreadable",
    "bad/heif_corrupted_empty.heic": "empty",
    "bad/hopper_unknown_pixel_mode.tif": "unreadable",
    "bad/oom-8ed3316a4109213ca96fb8a256a0bfefdece1461.icns": "too_large",
    "bad/timeout-1ee28a249896e05b83840ae8140622de8e648ba9.psd": "unreadable",
    "hopper_face/hopper_webp.tif": "unsupported",
    "not_an_image/.DS_Store": "not_an_image",
    "not_an_image/README.md": "not_an_image",
    "not_an_image/training.xml": "not_an_image",
}
"""File -> reason of the decoder."""

TRUNCATED = {
    "bad/broken_data_stream.png",
    "bad/truncated_image.png",
    "bad/truncated_jpeg.jpg",
}
"""Decoded in part."""

TRUNCATED_WITH_A_FACE = {"bad/broken_data_stream.png"}
"""A face is found in the intact part."""

UNUSED_IN_A_BUCKET = {
    **{name: reason for name, reason in REFUSED.items() if not name.startswith("not_an_image/")},
    **dict.fromkeys(TRUNCATED - TRUNCATED_WITH_A_FACE, "unreadable"),
    "not_an_image/README.md": "foreign",
    "not_an_image/training.xml": "foreign",
}
"""File -> status in a bucket's file table; hidden files have no record."""
