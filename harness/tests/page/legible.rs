//! How well texts stand out, and axe's rules.

use std::fs;
use std::path::Path;

/// Every text that shows, with the ratio of its contrast by WCAG 2.2: of the picture's too, which axe leaves out.
pub const CONTRAST: &str = r"
(() => {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).map((one) => {
      const part = one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const opaque = (colour) => colour.startsWith('rgb') && (channels(colour)[3] ?? 1) === 1;
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const rect = at.localName === 'g' ? at.querySelector('rect') : null;
      if (rect) return getComputedStyle(rect).fill;
      const colour = getComputedStyle(at).backgroundColor;
      if (opaque(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const around = node.parentElement;
    if (!node.data.trim() || !around.getClientRects().length || around.closest('script, .unseen, .skip, title, desc')) continue;
    const svg = around instanceof SVGElement;
    const [ink, paper] = [svg ? getComputedStyle(around).fill : getComputedStyle(around).color, ground(around)];
    const [low, high] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
    texts.push({ text: node.data.trim().slice(0, 40), ink, paper, ratio: (high + 0.05) / (low + 0.05) });
  }
  for (const input of document.querySelectorAll('input')) {
    const { color, backgroundColor, borderTopColor } = getComputedStyle(input);
    const [low, high] = [luminance(color), luminance(backgroundColor)].sort((a, b) => a - b);
    texts.push({ text: `input ${input.name}`, ink: color, paper: backgroundColor, ratio: (high + 0.05) / (low + 0.05) });
  }
  return texts;
})()";

/// axe-core, where `make browser` has put it.
pub fn axe() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/tools/axe-core/node_modules/axe-core/axe.min.js");
    // Its value is of no use.
    let axe = fs::read_to_string(path).ok().map(|axe| axe + "\n;0");
    if axe.is_none() {
        let required = std::env::var("HARNESS_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|each| each == "browser"), "no axe-core: make browser");
        println!("skipped: no axe-core in target/tools: make browser");
    }
    axe
}
