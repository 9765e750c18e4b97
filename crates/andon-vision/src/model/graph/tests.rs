use super::*;
use crate::model::Backbone;

fn embedded() -> OnnxGraph {
    OnnxGraph::read(&Backbone::embedded().onnx).unwrap()
}

#[test]
fn what_is_read_is_written_again() {
    let onnx = Backbone::embedded().onnx;
    let again = OnnxGraph::read(&embedded().write()).unwrap();
    assert_eq!(again.model, embedded().model);
    assert_eq!(again.graph, embedded().graph);
    // Not a byte is lost: the format allows other orders, so the length is what can be compared.
    assert_eq!(embedded().write().len(), onnx.len());
}

#[test]
fn files_that_are_no_networks_are_refused() {
    let told = |bytes: &[u8]| OnnxGraph::read(bytes).unwrap_err().to_string();
    assert!(told(b"").contains("no nodes"));
    assert!(told(b"\x89PNG\r\n").starts_with("no ONNX network"));
    let onnx = Backbone::embedded().onnx;
    assert!(told(&onnx[..onnx.len() / 2]).starts_with("no ONNX network"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in 0usize..3000, with in proptest::prelude::any::<u8>(), cut in 0usize..3000) {
        let mut onnx = Backbone::embedded().onnx[..3000 + cut].to_vec();
        onnx[at] = with;
        if let Ok(graph) = OnnxGraph::read(&onnx) {
            drop(graph.convert_fp16());
            drop(graph.quantize_int8(&ActivationRanges::new()));
        }
    }
}

#[test]
fn outputs_and_what_leads_to_them_are_kept() {
    let mut graph = embedded();
    let nodes = graph.graph.node.len();
    graph.keep_outputs(&["stride8".to_owned()]).unwrap();
    assert_eq!(graph.outputs(), ["stride8"]);
    assert!(graph.graph.node.len() < nodes && graph.graph.initializer.len() < embedded().graph.initializer.len());
    assert!(graph.keep_outputs(&["stride99".to_owned()]).unwrap_err().to_string().contains("no output `stride99`"));
}

#[test]
fn half_precision_ends_somewhere() {
    let mut graph = embedded();
    let tensor = graph.graph.initializer.iter_mut().find(|t| t.data_type == Some(FLOAT)).unwrap();
    let mut values = floats(tensor).unwrap();
    values[0] = 70_000.0;
    tensor.raw_data = Some(values.iter().flat_map(|v| v.to_le_bytes()).collect());
    let why = graph.convert_fp16().unwrap_err().to_string();
    assert!(why.contains("holds 70000") && why.contains("65504"), "{why}");
}

#[test]
fn eight_bits_need_ranges() {
    let why = embedded().quantize_int8(&ActivationRanges::new()).unwrap_err().to_string();
    assert!(why.contains("no values of"), "{why}");
}

#[test]
fn a_range_leaves_out_what_is_rare() {
    let mut range = ActivationRange::default();
    assert_eq!(range.limit(), None);
    range.see(&[0.0; 4]);
    assert_eq!(range.limit(), None, "zeros say nothing");
    // 100,000 values up to 1, and 5 outliers.
    let many: Vec<f32> = (0..100_000).map(|i| (i as f32 / 100_000.0) - 0.5).collect();
    range.see(&many);
    range.see(&[40.0, -40.0, 40.0, f32::NAN, f32::INFINITY]);
    let limit = range.limit().unwrap();
    // A bin is as wide as the largest value over the number of bins, doubled at most.
    assert!((0.5..0.5 + 2.0 * 40.0 / 2048.0).contains(&limit), "{limit}");
}
