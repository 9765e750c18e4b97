//! Sides of what operators make that grow their inputs, as far as they follow.

use super::super::proto::Node;
use super::shapes::{Known, Shape, list, number};

impl Known {
    /// Sides times the scales of an input.
    pub(super) fn scaled(&self, node: &Node, input: usize) -> Option<Shape> {
        let (from, scales) = (self.shape(node, 0)?, &self.numbers_of(node, input)?.values);
        (from.len() == scales.len()).then_some(())?;
        Some(from.iter().zip(scales).map(|(side, scale)| (*side as f64 * scale).floor() as u64).collect())
    }

    pub(super) fn range(&self, node: &Node) -> Option<Shape> {
        let of = |input: usize| self.numbers_of(node, input)?.values.first().copied();
        let (start, end, step) = (of(0)?, of(1)?, of(2)?);
        Some(vec![((end - start) / step).ceil().max(0.0) as u64])
    }

    pub(super) fn one_hot(&self, node: &Node) -> Option<Shape> {
        let depth = *self.numbers_of(node, 1)?.values.first()?;
        let mut shape = self.shape(node, 0)?.clone();
        let rank = shape.len() as i64 + 1;
        let axis = number(node, "axis").unwrap_or(-1);
        shape.insert(
            usize::try_from(if axis < 0 { axis.checked_add(rank)? } else { axis })
                .ok()
                .filter(|at| *at <= shape.len())?,
            depth as u64,
        );
        Some(shape)
    }

    pub(super) fn gather(&self, node: &Node) -> Option<Shape> {
        let (from, indices) = (self.shape(node, 0)?, self.shape(node, 1)?);
        let axis = number(node, "axis").unwrap_or(0);
        let axis = usize::try_from(if axis < 0 { axis.checked_add(from.len() as i64)? } else { axis }).ok()?;
        Some([from.get(..axis)?, indices, from.get(axis + 1..)?].concat())
    }

    pub(super) fn unsqueeze(&self, node: &Node) -> Option<Shape> {
        let axes = list(node, "axes").or_else(|| self.numbers(node, 1))?;
        let from = self.shape(node, 0)?;
        let rank = (from.len() + axes.len()) as i64;
        let at: Vec<i64> = axes.iter().map(|axis| if *axis < 0 { axis.saturating_add(rank) } else { *axis }).collect();
        let mut rest = from.iter();
        let made: Shape =
            (0..rank).map(|i| if at.contains(&i) { Some(1) } else { rest.next().copied() }).collect::<Option<_>>()?;
        Some(made)
    }

    pub(super) fn roi_align(&self, node: &Node) -> Option<Shape> {
        let side = |name: &str| u64::try_from(number(node, name).unwrap_or(1)).ok();
        Some(vec![
            *self.shape(node, 1)?.first()?,
            *self.shape(node, 0)?.get(1)?,
            side("output_height")?,
            side("output_width")?,
        ])
    }

    /// Where it says its pads, and not what it wants to be as large as.
    pub(super) fn conv_transpose(&self, node: &Node) -> Option<Shape> {
        let (x, w) = (self.shape(node, 0)?, self.shape(node, 1)?);
        if x.len() < 3
            || w.len() != x.len()
            || node.attribute.iter().any(|a| matches!(a.name(), "auto_pad" | "output_shape"))
        {
            return None;
        }
        let spatial = x.len() - 2;
        let of = |name: &str, i: usize, usual: i64| list(node, name).map_or(Some(usual), |all| all.get(i).copied());
        let side = |i: usize| {
            let long = i128::from(of("strides", i, 1)?) * (i128::from(x[2 + i]) - 1)
                + i128::from(of("output_padding", i, 0)?)
                + i128::from(of("dilations", i, 1)?) * (i128::from(w[2 + i]) - 1)
                + 1;
            u64::try_from(long - i128::from(of("pads", i, 0)?) - i128::from(of("pads", spatial + i, 0)?)).ok()
        };
        let channels = w[1].saturating_mul(number(node, "group").unwrap_or(1).max(1) as u64);
        let sides: Shape = (0..spatial).map(side).collect::<Option<_>>()?;
        Some([vec![x[0], channels], sides].concat())
    }
}
