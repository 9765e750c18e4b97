//! One hostile file of each kind, made here, and whole networks that have to pass. Other people's are in the conformance set (`tests/it/graph.rs`).

use super::super::proto::{Attribute, Function, KeyValue, Node, Opset, Shape, Tensor, TensorType, Type};
use super::super::{Attr, GraphBuilder};
use super::*;

fn node(op: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        op_type: Some(op.to_owned()),
        name: Some(format!("{op}_{output}")),
        input: inputs.iter().map(|i| (*i).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Node::default()
    }
}

fn value(name: &str, kind: i32, sides: &[i64]) -> ValueInfo {
    let dim = sides.iter().map(|side| Dim { value: Some(*side), ..Dim::default() }).collect();
    let tensor = TensorType { elem_type: Some(kind), shape: Some(Shape { dim }) };
    ValueInfo {
        name: Some(name.to_owned()),
        kind: Some(Type { tensor: Some(tensor), ..Type::default() }),
        ..ValueInfo::default()
    }
}

fn tensor(name: &str, dims: &[i64], data: Vec<u8>) -> Tensor {
    Tensor {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(1),
        raw_data: Some(data),
        ..Tensor::default()
    }
}

fn whole(name: &str, numbers: &[i64]) -> Tensor {
    let data = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    Tensor { data_type: Some(7), ..tensor(name, &[numbers.len() as i64], data) }
}

/// `x` in, `y` out, through these nodes.
fn model(nodes: Vec<Node>, initializer: Vec<Tensor>) -> Model {
    Model {
        ir_version: Some(8),
        opset_import: vec![Opset { domain: None, version: Some(17) }],
        graph: Some(Graph {
            node: nodes,
            initializer,
            input: vec![value("x", 1, &[1, 3, 8, 8])],
            output: vec![value("y", 1, &[1, 3, 8, 8])],
            ..Graph::default()
        }),
        ..Model::default()
    }
}

fn relu() -> Model {
    model(vec![node("Relu", &["x"], "y")], Vec::new())
}

fn with_graph(change: impl FnOnce(&mut Graph)) -> Model {
    let mut model = relu();
    change(model.graph.as_mut().unwrap());
    model
}

fn with_graph_in(node: &mut Node, inner: Graph) {
    let attribute = Attribute {
        name: Some("then_branch".to_owned()),
        g: Some(inner.encode_to_vec()),
        kind: Some(5),
        ..Attribute::default()
    };
    node.attribute.push(attribute);
}

fn refused(model: &Model) -> String {
    check(&model.encode_to_vec(), None).unwrap_err()
}

#[test]
fn what_passes_is_the_same_network_sorted() {
    assert_eq!(check(&relu().encode_to_vec(), None).unwrap(), relu().encode_to_vec());
    let unsorted = model(vec![node("Relu", &["a"], "y"), node("Abs", &["x"], "a")], Vec::new());
    let sorted = model(vec![node("Abs", &["x"], "a"), node("Relu", &["a"], "y")], Vec::new());
    assert_eq!(check(&unsorted.encode_to_vec(), None).unwrap(), sorted.encode_to_vec());
    let embedded = crate::model::Backbone::embedded();
    assert_eq!(check(&embedded.onnx, None).unwrap().len(), embedded.onnx.len());
}

#[test]
fn files_that_are_none_are_told_apart() {
    let bytes = relu().encode_to_vec();
    for (bytes, words) in [
        (&b""[..], "it is empty (0 bytes)"),
        (b"  <!DOCTYPE html><html>", "looks like HTML"),
        (b"\x89PNG\r\n", "no ONNX"),
        (&bytes[..1], "cut short"),
        (&bytes[..bytes.len() / 2], "cut short"),
    ] {
        let why = check(bytes, None).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    // An attribute that says it is 2 GB long.
    let why = check(&[0x3a, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 2, 3], None).unwrap_err();
    assert!(why.contains("cut short"), "{why}");
}

#[test]
fn files_of_the_future_and_empty_ones_are_named() {
    let of_opset = |version| Model { opset_import: vec![Opset { domain: None, version: Some(version) }], ..relu() };
    for (model, words) in [
        (Model { ir_version: Some(99), ..relu() }, "IR version 99"),
        (of_opset(99), "opset 99"),
        (of_opset(-1), "opset -1"),
        (with_graph(|g| g.node.clear()), "its graph is empty"),
        (with_graph(|g| g.output.clear()), "no output"),
    ] {
        let why = refused(&model);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn constants_that_contradict_themselves_are_named() {
    let with = |t: Tensor| with_graph(|g| g.initializer.push(t));
    for (model, words) in [
        (with(tensor("w", &[1 << 40, 1 << 40], Vec::new())), "`w` has the shape [1099511627776, 1099511627776]"),
        (with(tensor("w", &[1 << 32, 1 << 32, 0], Vec::new())), "`w` has the shape"),
        (with(tensor("w", &[-3, 4], Vec::new())), "a side below 0"),
        (with(tensor("w", &[2, 2], vec![0; 15])), "which is 16 bytes, and holds 15"),
        (with(tensor("w", &[2, 2], vec![0; 20])), "which is 16 bytes, and holds 20"),
        (with(Tensor { data_type: Some(99), ..tensor("w", &[1], vec![0; 4]) }), "the element type 99"),
        (with(Tensor { data_type: Some(0), ..tensor("w", &[1], vec![0; 4]) }), "the element type 0"),
        (
            with(Tensor { raw_data: None, float_data: vec![1.0], ..tensor("w", &[2], Vec::new()) }),
            "which is 2 values, and holds 1",
        ),
    ] {
        let why = refused(&model);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn weights_in_other_files_come_from_beside_the_network_and_from_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("w.data"), [0u8; 64]).unwrap();
    std::fs::write(folder.path().join("secret"), [0u8; 64]).unwrap();
    let of = |entries: &[(&str, &str)]| {
        let entry = |(key, value): &(&str, &str)| {
            KeyValue { key: Some((*key).to_owned()), value: Some((*value).to_owned()) }.encode_to_vec()
        };
        let external_data = entries.iter().map(entry).collect();
        with_graph(|g| {
            let far = Tensor { raw_data: None, external_data, data_location: Some(1), ..tensor("w", &[4], Vec::new()) };
            g.initializer.push(far);
        })
    };
    let read = |model: &Model| check(&model.encode_to_vec(), Some(folder.path()));
    let fine = read(&of(&[("location", "w.data"), ("offset", "16"), ("length", "16")])).unwrap();
    let fetched = Model::decode(fine.as_slice()).unwrap().graph.unwrap().initializer.remove(0);
    assert_eq!((fetched.raw_data, fetched.data_location), (Some(vec![0; 16]), None));
    let inside = folder.path().join("secret");
    for (entries, words) in [
        (vec![("location", "../secret")], "`../secret`, outside of the network's folder"),
        (vec![("location", inside.to_str().unwrap())], "outside of the network's folder"),
        (vec![("location", "..\\secret")], "outside of the network's folder"),
        (vec![], "outside of the network's folder"),
        (vec![("location", "gone.data")], "gone.data cannot be read"),
        (vec![("location", "w.data"), ("offset", "60")], "from offset 60 with length 16; the file has 64 bytes"),
        (
            vec![("location", "w.data"), ("offset", "18446744073709551615"), ("length", "16")],
            "offset 18446744073709551615",
        ),
        (vec![("location", "w.data"), ("offset", "many")], "its offset `many` is no number"),
        (vec![("location", "w.data"), ("length", "8")], "with length 8"),
        (vec![("location", ".")], "cannot be read"),
    ] {
        let why = read(&of(&entries)).unwrap_err();
        assert!(
            why.contains("`w`") && (why.contains(words) || words == "cannot be read" && why.contains("the file has")),
            "{why}"
        );
    }
    assert!(refused(&of(&[("location", "w.data")])).contains("put all weights into one file"));
}

#[test]
fn inputs_that_no_picture_fits_are_named() {
    let of = |kind, sides: &[i64]| with_graph(|g| g.input = vec![value("x", kind, sides)]);
    for (model, words) in [
        (of(1, &[1, 3, -8, 8]), "`x` has the shape [1,3,-8,8]"),
        (of(1, &[1, 3, 1 << 40, 8]), "`x` has the shape [1,3,1099511627776,8]"),
        (of(1, &[1, 3, 30_000, 30_000]), "more than fits"),
        (of(1, &[1, 3, 8, 64, 64]), "a clip of 8 frames"),
        (of(8, &[1]), "`x` is text"),
    ] {
        let why = refused(&model);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn names_and_operators_that_do_not_hold_together_are_named() {
    let foreign = Node { domain: Some("com.acme".to_owned()), ..node("Head", &["x"], "y") };
    let mut branch = node("If", &["x"], "y");
    with_graph_in(
        &mut branch,
        Graph {
            node: vec![Node { domain: Some("evil".to_owned()), ..node("NoSuchOp", &["x"], "z") }],
            output: vec![value("z", 1, &[1])],
            ..Graph::default()
        },
    );
    let mut deep =
        Graph { node: vec![node("Relu", &["x"], "y")], output: vec![value("y", 1, &[1])], ..Graph::default() };
    for level in 0..200 {
        let mut holder = node("If", &["x"], &format!("y{level}"));
        deep.node[0].output = vec![format!("z{level}")];
        deep.output = vec![value(&format!("z{level}"), 1, &[1])];
        with_graph_in(&mut holder, deep);
        deep = Graph { node: vec![holder], ..Graph::default() };
    }
    deep.node[0].output = vec!["y".to_owned()];
    let mut endless = node("Loop", &["", "x"], "y");
    with_graph_in(&mut endless, Graph::default());
    for (model, words) in [
        (model(vec![node("Relu", &["z"], "y")], Vec::new()), "takes `z`, which nothing makes"),
        (model(vec![node("Add", &["x", "y"], "y")], Vec::new()), "a cycle"),
        (
            model(vec![node("Relu", &["b"], "a"), node("Relu", &["a"], "b"), node("Relu", &["x"], "y")], Vec::new()),
            "a cycle",
        ),
        (model(vec![node("Relu", &["x"], "y"), node("Abs", &["x"], "y")], Vec::new()), "`y` is made twice"),
        (model(vec![node("Relu", &["x"], "z")], Vec::new()), "the output `y` is made by no node"),
        (model(vec![foreign], Vec::new()), "`com.acme::Head`"),
        (model(vec![branch], Vec::new()), "`evil::NoSuchOp`"),
        (model(deep.node, Vec::new()), "more than 16 deep"),
        (model(vec![endless], Vec::new()), "a Loop that nothing bounds"),
    ] {
        let why = refused(&model);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn functions_that_unfold_without_end_are_refused() {
    let calls = |name: &str, called: &str, times: usize| {
        let call = |i| Node { domain: Some("f".to_owned()), ..node(called, &["x"], &format!("y{i}")) };
        let function = Function {
            name: Some(name.to_owned()),
            domain: Some("f".to_owned()),
            node: (0..times).map(call).collect(),
        };
        function.encode_to_vec()
    };
    let called = |functions: Vec<Vec<u8>>| {
        let first = Node { domain: Some("f".to_owned()), ..node("f0", &["x"], "y") };
        Model { functions, ..model(vec![first], Vec::new()) }
    };
    let mut doubling: Vec<Vec<u8>> = (0..31).map(|i| calls(&format!("f{i}"), &format!("f{}", i + 1), 2)).collect();
    let end =
        Function { name: Some("f31".to_owned()), domain: Some("f".to_owned()), node: vec![node("Relu", &["x"], "y")] };
    doubling.push(end.encode_to_vec());
    assert!(refused(&called(doubling)).contains("it comes to 2147483648 nodes"));
    assert!(refused(&called(vec![calls("f0", "f0", 1)])).contains("calls itself"));
}

#[test]
fn values_that_grow_beyond_memory_are_named_with_their_size() {
    let axis = |mut node: Node, axis| {
        node.attribute.push(Attribute {
            name: Some("axis".to_owned()),
            i: Some(axis),
            kind: Some(2),
            ..Attribute::default()
        });
        node
    };
    let name = |i: usize| if i == 0 { "x".to_owned() } else { format!("v{i}") };
    let mut doubling: Vec<Node> =
        (0..40).map(|i| axis(node("Concat", &[&name(i), &name(i)], &name(i + 1)), 1)).collect();
    doubling.push(node("Relu", &["v40"], "y"));
    let big = [1 << 20, 1 << 20];
    for (model, words) in [
        (model(doubling, Vec::new()), "2^"),
        (model(vec![node("ConstantOfShape", &["s"], "y")], vec![whole("s", &big)]), "2^42 bytes"),
        (model(vec![node("Expand", &["x", "s"], "y")], vec![whole("s", &[1 << 30, 3, 8, 8])]), "no frame needs that"),
        (
            model(vec![node("Tile", &["x", "s"], "y")], vec![whole("s", &[1, 1, 1 << 20, 1 << 20])]),
            "no frame needs that",
        ),
        (
            model(vec![node("Pad", &["x", "s"], "y")], vec![whole("s", &[0, 0, 0, 0, 0, 0, 1 << 40, 0])]),
            "no frame needs that",
        ),
        (
            model(
                vec![
                    node("Reshape", &["x", "a"], "c"),
                    node("Reshape", &["x", "b"], "d"),
                    node("MatMul", &["c", "d"], "e"),
                    node("Concat", &["e", "e"], "y"),
                ],
                vec![whole("a", &[192, 1]), whole("b", &[1, 192])],
            ),
            "",
        ),
    ] {
        match check(&model.encode_to_vec(), None) {
            Ok(_) => assert!(words.is_empty(), "let through instead of {words}"),
            Err(why) => assert!(!words.is_empty() && why.contains(words), "{why}"),
        }
    }
    let kernel = tensor("w", &[2, 5, 3, 3], vec![0; 2 * 5 * 9 * 4]);
    let why = refused(&model(vec![node("Conv", &["x", "w"], "y")], vec![kernel]));
    assert!(why.contains("is given 3 channels, and its weights want 5"), "{why}");
}

/// Whatever bytes are changed, there is an answer, and soon.
#[test]
fn changed_bytes_never_panic() {
    let mut graph = GraphBuilder::new("small");
    graph.input("x", &[1, 3, 8, 8]);
    let w = graph.constant(&[4, 3, 3, 3], &[0.5; 108]);
    let y = graph.node("Conv", &["x", &w], &[Attr::Int("group", 1)]);
    graph.output(&y, "y", Some(&[1, 4, 6, 6]));
    let bytes = graph.write();
    assert!(check(&bytes, None).is_ok());
    let mut random = andon_core::SplitMix64::new(5);
    for _ in 0..2000 {
        let mut changed = bytes.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(changed.len() as u64) as usize;
            changed[at] = random.next_u64() as u8;
        }
        drop(check(&changed, None));
    }
}
