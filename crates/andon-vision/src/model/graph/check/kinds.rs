//! Files that are no ONNX: what they are instead, and what to do.

/// What a file is that is no ONNX, by how it begins; none if it may be ONNX.
pub(super) fn other(bytes: &[u8]) -> Option<String> {
    let starts = |with: &[u8]| bytes.starts_with(with);
    let text = bytes.trim_ascii_start();
    let export = "export the network as ONNX (torch.onnx.export, say)";
    let (is, remedy) =
        if starts(&[0x1f, 0x8b]) || starts(b"BZh") || starts(b"\xfd7zXZ") || starts(&[0x28, 0xb5, 0x2f, 0xfd]) {
            ("it is compressed (gzip, bzip2, xz or zstd)", "unpack it first")
        } else if starts(b"PK\x03\x04") {
            ("it is a zip file, or a checkpoint of PyTorch, which is one", export)
        } else if starts(&[0x80, 2]) || starts(&[0x80, 3]) || starts(&[0x80, 4]) || starts(&[0x80, 5]) {
            ("it is a pickle of Python, such as an old checkpoint of PyTorch", export)
        } else if starts(b"\x89PNG") || starts(&[0xff, 0xd8, 0xff]) || starts(b"BM") || starts(b"GIF8") {
            ("it is a picture", "name the network; pictures go to --good")
        } else if starts(b"\x89HDF") {
            ("it is HDF5, such as Keras writes it", "export the network as ONNX (tf2onnx, say)")
        } else if bytes.get(4..8) == Some(b"TFL3") {
            ("it is TensorFlow Lite", "export the network as ONNX (tf2onnx, say)")
        } else if starts(b"\x93NUMPY") {
            ("it is an array of numpy", "name the network; constant inputs are given with --input NAME=FILE.npy")
        } else if starts(b"version https://git-lfs") {
            ("it is a pointer of Git LFS and not the file", "fetch it with `git lfs pull`")
        } else if starts(b"\x7fELF") {
            ("it is a program", "name the network")
        } else if bytes.get(8) == Some(&b'{') && bytes.get(..8).is_some_and(|length| length[4..] == [0; 4]) {
            ("it is safetensors: weights without the network", export)
        } else if text.starts_with(b"<?xml") {
            ("it is no ONNX file but XML, such as OpenVINO's", "take the ONNX that it was made of")
        } else if text.starts_with(b"<") {
            ("it is no ONNX file; it looks like HTML", "was a web page saved in its place?")
        } else if text.starts_with(b"{") {
            ("it is no ONNX file but JSON", "name the network")
        } else {
            return None;
        };
    Some(format!("{is}; {remedy}"))
}
