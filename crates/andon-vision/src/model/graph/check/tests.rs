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

fn function(name: &str, nodes: Vec<Node>) -> Function {
    let output = nodes.last().map(|node| node.output.clone()).unwrap_or_default();
    Function {
        name: Some(name.to_owned()),
        domain: Some("f".to_owned()),
        input: vec!["x".to_owned()],
        output,
        node: nodes,
        ..Function::default()
    }
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
        (b"\x89PNG\r\n", "it is a picture"),
        (b"PK\x03\x04", "a checkpoint of PyTorch"),
        (&[0x1f, 0x8b, 8, 0], "unpack it first"),
        (b"{\"a\": 1}", "JSON"),
        (b"\x20\0\0\0\0\0\0\0{\"w\":1}", "safetensors"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"<?xml version=\"1.0\"?><net/>", "OpenVINO"),
        (b"hello", "no ONNX"),
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
        function(name, (0..times).map(call).collect()).encode_to_vec()
    };
    let called = |functions: Vec<Vec<u8>>| {
        let first = Node { domain: Some("f".to_owned()), ..node("f0", &["x"], "y") };
        Model { functions, ..model(vec![first], Vec::new()) }
    };
    let mut doubling: Vec<Vec<u8>> = (0..31).map(|i| calls(&format!("f{i}"), &format!("f{}", i + 1), 2)).collect();
    doubling.push(function("f31", vec![node("Relu", &["x"], "y")]).encode_to_vec());
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

/// Bytes that ask for far more than they are: records of two bytes, and graphs in graphs.
#[test]
fn files_that_would_unfold_in_memory_are_refused_before_they_do() {
    let field = |tag: u32, bytes: &[u8]| {
        let mut all = Vec::new();
        prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut all);
        prost::encoding::encode_varint(bytes.len() as u64, &mut all);
        all.extend(bytes);
        all
    };
    let head = [&[0x08, 8][..], &field(8, &[0x10, 17])].concat();
    for (many, inside) in [(&[0x0a, 0][..], true), (&[0x2a, 0], true), (&[0x5a, 0], true), (&[0x72, 0], false)] {
        let many = many.repeat(4_000_000);
        let file = if inside { [head.clone(), field(7, &many)].concat() } else { [head.clone(), many].concat() };
        let start = std::time::Instant::now();
        let why = check(&file, None).unwrap_err();
        assert!(why.contains("so many small records"), "{why}");
        assert!(start.elapsed().as_secs_f64() < 1.0);
    }
    let mut deep = field(1, &field(4, b"Relu"));
    for _ in 0..3000 {
        let attribute = field(5, &field(6, &deep));
        deep = field(1, &[field(4, b"If"), attribute].concat());
    }
    let in_graph = [head.clone(), field(7, &deep)].concat();
    let in_function = [relu().encode_to_vec(), field(25, &field(7, &deep[2..]))].concat();
    assert!(check(&in_graph, None).unwrap_err().contains("more than 16 deep"));
    assert!(check(&in_function, None).is_err());
    assert!(check(&[0x0b; 100], None).unwrap_err().contains("groups"));
}

#[test]
fn functions_are_put_in_where_they_are_called() {
    let scaled =
        Attribute { name: Some("to".to_owned()), ref_attr_name: Some("kind".to_owned()), ..Attribute::default() };
    let mut cast = node("Cast", &["h"], "y");
    cast.attribute.push(scaled);
    let inner = function("inner", vec![node("Relu", &["x"], "y")]);
    let outer = function("outer", vec![Node { domain: Some("f".to_owned()), ..node("inner", &["x"], "h") }, cast]);
    let mut first = Node { domain: Some("f".to_owned()), ..node("outer", &["x"], "m") };
    let kind = Attribute { name: Some("kind".to_owned()), i: Some(1), kind: Some(2), ..Attribute::default() };
    first.attribute.push(kind);
    let second = Node { domain: Some("f".to_owned()), ..node("inner", &["m"], "y") };
    let calling = Model {
        functions: vec![inner.encode_to_vec(), outer.encode_to_vec()],
        ..model(vec![first.clone(), second], Vec::new())
    };
    let made = Model::decode(check(&calling.encode_to_vec(), None).unwrap().as_slice()).unwrap();
    assert!(made.functions.is_empty());
    let nodes = made.graph.unwrap().node;
    let ops: Vec<&str> = nodes.iter().map(Node::op_type).collect();
    assert_eq!(ops, ["Relu", "Cast", "Relu"]);
    assert_eq!((nodes[1].attribute[0].name(), nodes[1].attribute[0].i), ("to", Some(1)));
    assert!(nodes[0].input == ["x"] && nodes[2].output == ["y"] && nodes[1].output == ["m"]);
    // What is wrong within a function is named, too.
    for (inside, words) in [
        (Node { domain: Some("evil".to_owned()), ..node("Evil", &["x"], "y") }, "`evil::Evil`"),
        (node("Add", &["x", "nobody"], "y"), "which nothing makes"),
        (
            Node { input: vec![String::new()], output: Vec::new(), ..node("Loop", &[], "") },
            "a Loop that nothing bounds",
        ),
        (node("RandomNormalLike", &["x"], "y"), "gives other values each time"),
    ] {
        let mut nodes = vec![inside];
        nodes.push(node("Relu", &["x"], "z"));
        let broken = function("outer", nodes);
        let call = Node { domain: Some("f".to_owned()), ..node("outer", &["x"], "y") };
        let all = Model { functions: vec![broken.encode_to_vec()], ..model(vec![call], Vec::new()) };
        let why = refused(&all);
        assert!(why.contains(words), "{why}");
    }
    let chain = |i: usize| {
        let next = Node { domain: Some("f".to_owned()), ..node(&format!("f{}", i + 1), &["x"], "y") };
        function(&format!("f{i}"), vec![next]).encode_to_vec()
    };
    let call = Node { domain: Some("f".to_owned()), ..node("f0", &["x"], "y") };
    let long = Model { functions: (0..30_000).map(chain).collect(), ..model(vec![call], Vec::new()) };
    assert!(refused(&long).contains("more than 100 deep"));
}

#[test]
fn loops_are_bounded_by_what_is_known_of_their_rounds() {
    let body = |op: &str| Graph {
        node: vec![node(op, &["acc"], "acc2"), node("Identity", &["go"], "on")],
        input: vec![value("i", 7, &[]), value("go", 9, &[]), value("acc", 1, &[])],
        output: vec![value("on", 9, &[]), value("acc2", 1, &[])],
        ..Graph::default()
    };
    let looped = |before: Vec<Node>, rounds: &str, constants: Vec<Tensor>| {
        let mut turns = node("Loop", &[rounds, "", "x"], "y");
        with_graph_in(&mut turns, body("Sin"));
        let nodes = before.into_iter().chain([turns]).collect();
        check(&model(nodes, constants).encode_to_vec(), None)
    };
    let number = |n| Tensor { dims: Vec::new(), ..whole("n", &[n]) };
    let constant = |n: i64| {
        let mut made = node("Constant", &[], "n");
        made.attribute.push(Attribute { name: Some("value_int".to_owned()), i: Some(n), ..Attribute::default() });
        made
    };
    assert!(looped(Vec::new(), "n", vec![number(3)]).is_ok());
    assert!(looped(vec![constant(3)], "n", Vec::new()).is_ok());
    // As many rounds as the picture has channels.
    let of_shape = vec![node("Shape", &["x"], "s"), node("Gather", &["s", "one"], "n")];
    assert!(looped(of_shape, "n", vec![Tensor { dims: Vec::new(), ..whole("one", &[1]) }]).is_ok());
    for (said, words) in [
        (looped(Vec::new(), "n", vec![number(1 << 40)]), "a Loop of up to 1099511627776 rounds"),
        (looped(vec![constant(1 << 40)], "n", Vec::new()), "a Loop of up to"),
        (looped(Vec::new(), "n", vec![number(900_000)]), "more than 1000000 nodes a picture"),
        (
            looped(
                vec![node("Mul", &["a", "a"], "n")],
                "n",
                vec![Tensor { dims: Vec::new(), ..whole("a", &[1 << 20]) }],
            ),
            "a Loop of up to",
        ),
        (looped(vec![node("Cast", &["x"], "n")], "n", Vec::new()), "a Loop that nothing bounds"),
    ] {
        let why = said.unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn shapes_that_are_computed_are_followed() {
    for (nodes, constants) in [
        (vec![node("Mul", &["s", "s"], "t"), node("ConstantOfShape", &["t"], "y")], vec![whole("s", &[1 << 20, 4])]),
        (
            vec![node("Shape", &["x"], "s"), node("Mul", &["s", "m"], "t"), node("Expand", &["x", "t"], "y")],
            vec![whole("m", &[1 << 24, 1, 1, 1])],
        ),
        (
            vec![node("Concat", &["a", "b"], "t"), node("Expand", &["x", "t"], "y")],
            vec![whole("a", &[1 << 24]), whole("b", &[3, 8, 8])],
        ),
        (
            vec![node("Resize", &["x", "", "f"], "y")],
            vec![tensor("f", &[4], [1.0f32, 1.0, 1e5, 1e5].iter().flat_map(|v| v.to_le_bytes()).collect())],
        ),
        (
            vec![node("Gather", &["x", "i"], "y")],
            vec![Tensor { data_type: Some(7), ..tensor("i", &[4_000_000], vec![0; 32_000_000]) }],
        ),
    ] {
        let why = refused(&model(nodes, constants));
        assert!(why.contains("no frame needs that"), "{why}");
    }
}

#[test]
fn names_are_there_once_and_outputs_are_computed() {
    let w = || tensor("w", &[1], vec![0; 4]);
    let add = || node("Add", &["x", "w"], "y");
    for (model, words) in [
        (model(vec![add()], vec![w(), w()]), "the constant `w` is there twice"),
        (with_graph(|g| g.input.push(value("x", 1, &[1]))), "the input `x` is there twice"),
        (with_graph(|g| g.output.push(value("y", 1, &[1]))), "the output `y` is there twice"),
        (with_graph(|g| g.output = vec![value("x", 1, &[1, 3, 8, 8])]), "says nothing of the picture"),
        (
            with_graph(|g| {
                g.initializer.push(w());
                g.output = vec![value("w", 1, &[1])]
            }),
            "says nothing of the picture",
        ),
        (
            model(vec![node("Relu", &["x"], "andon.in"), node("Relu", &["andon.in"], "y")], Vec::new()),
            "puts around networks",
        ),
        (Model { opset_import: Vec::new(), ..relu() }, "does not say of which opset"),
        (
            Model { opset_import: [9, 17].map(|v| Opset { domain: None, version: Some(v) }).to_vec(), ..relu() },
            "several opsets",
        ),
        (
            with_graph(|g| g.input[0].kind = Some(Type { sequence: Some(Vec::new()), ..Type::default() })),
            "`x` is a sequence",
        ),
        (
            with_graph(|g| g.output[0].kind = Some(Type { optional: Some(Vec::new()), ..Type::default() })),
            "`y` is an optional value",
        ),
        (with_graph(|g| g.input = vec![value("x", 99, &[1])]), "element type 99"),
        (model(vec![add()], vec![Tensor { float_data: vec![0.0], ..w() }]), "both as bytes and as numbers"),
        (
            model(vec![add()], vec![Tensor { raw_data: None, int32_data: vec![0], ..w() }]),
            "values of another type than 1",
        ),
    ] {
        let why = refused(&model);
        assert!(why.contains(words), "{why}");
    }
    // A branch may call what it makes as the node calls what comes out.
    let branch = Graph { node: vec![node("Relu", &["x"], "y")], output: vec![value("y", 1, &[])], ..Graph::default() };
    let mut choice = node("If", &["c"], "y");
    with_graph_in(&mut choice, branch);
    let yes = Tensor { data_type: Some(9), ..tensor("c", &[1], vec![1]) };
    assert!(check(&model(vec![choice], vec![yes]).encode_to_vec(), None).is_ok());
    let training = |ratio: f32, on: u8| {
        let constants = vec![
            Tensor { dims: Vec::new(), ..tensor("r", &[], ratio.to_le_bytes().to_vec()) },
            Tensor { data_type: Some(9), dims: Vec::new(), ..tensor("t", &[], vec![on]) },
        ];
        check(&model(vec![node("Dropout", &["x", "r", "t"], "y")], constants).encode_to_vec(), None)
    };
    assert!(training(0.3, 1).unwrap_err().contains("leaves out values by chance"));
    assert!(training(0.3, 0).is_ok() && training(0.0, 1).is_ok());
}

#[test]
fn sparse_constants_are_written_out() {
    let sparse = |indices: Tensor, dims: &[i64]| {
        let values = tensor("w", &[2], [2.0f32, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect());
        let sparse =
            super::super::proto::SparseTensor { values: Some(values), indices: Some(indices), dims: dims.to_vec() };
        let all = model(vec![node("Add", &["x", "w"], "y")], Vec::new());
        let graph = Graph { sparse_initializer: vec![sparse.encode_to_vec()], ..all.graph.clone().unwrap() };
        check(&Model { graph: Some(graph), ..all }.encode_to_vec(), None)
    };
    for indices in [whole("", &[1, 7]), Tensor { dims: vec![2, 2], ..whole("", &[0, 1, 1, 3]) }] {
        let made = Model::decode(sparse(indices, &[2, 4]).unwrap().as_slice()).unwrap().graph.unwrap();
        let numbers = super::super::floats(&made.initializer[0]).unwrap();
        assert_eq!(numbers, [0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]);
    }
    for (said, words) in [
        (sparse(whole("", &[1, 7]), &[1 << 40]), "more than fits"),
        (sparse(whole("", &[1, 8]), &[2, 4]), "outside of it"),
        (sparse(whole("", &[1, -1]), &[2, 4]), "outside of it"),
        (sparse(whole("", &[1]), &[2, 4]), "not as many places"),
    ] {
        let why = said.unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}

/// Links, pipes, holes, and the same bytes again and again.
#[test]
fn other_files_are_read_once_and_only_if_they_are_files_beside_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("secret"), [0u8; 64]).unwrap();
    std::fs::write(folder.path().join("w.data"), [0u8; 64]).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("out")).unwrap();
    std::os::unix::fs::symlink("w.data", folder.path().join("inside")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    let holes = std::fs::File::create(folder.path().join("holes")).unwrap();
    holes.set_len(1 << 30).unwrap();
    let far = |name: &str, place: &str, count: i64| {
        let entry = KeyValue { key: Some("location".to_owned()), value: Some(place.to_owned()) }.encode_to_vec();
        Tensor {
            raw_data: None,
            external_data: vec![entry],
            data_location: Some(1),
            ..tensor(name, &[count], Vec::new())
        }
    };
    let read = |tensors: Vec<Tensor>| {
        let model = with_graph(|g| g.initializer = tensors);
        check(&model.encode_to_vec(), Some(folder.path()))
    };
    assert!(read(vec![far("w", "w.data", 16)]).is_ok() && read(vec![far("w", "inside", 16)]).is_ok());
    for (place, count, words) in [
        ("link", 16, "outside of the network's folder"),
        ("out/secret", 16, "outside of the network's folder"),
        ("pipe", 16, "the file has 0 bytes"),
        ("holes", 1 << 28, "the rest are holes"),
    ] {
        let why = read(vec![far("w", place, count)]).unwrap_err();
        assert!(why.contains("`w`") && why.contains(words), "{why}");
    }
    let again = (0..9).map(|i| far(&format!("w{i}"), "w.data", 16)).collect();
    assert!(read(again).unwrap_err().contains("write them once"));
    // Constants in nodes are fetched, and bounded, as the others are.
    let in_node = |place: &str| {
        let mut made = node("Constant", &[], "c");
        let value = Attribute {
            name: Some("value".to_owned()),
            t: Some(far("c", place, 1)),
            kind: Some(4),
            ..Attribute::default()
        };
        made.attribute.push(value);
        check(&model(vec![made, node("Add", &["x", "c"], "y")], Vec::new()).encode_to_vec(), Some(folder.path()))
    };
    std::fs::write(folder.path().join("one"), [0u8; 4]).unwrap();
    assert!(in_node("one").is_ok() && in_node("../secret").unwrap_err().contains("outside of the network's folder"));
    let pipe = read_network(&folder.path().join("pipe")).unwrap_err().to_string();
    assert!(pipe.contains("no ordinary file"), "{pipe}");
}
