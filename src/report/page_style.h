// The style sheet of every page that duet writes.
#pragma once
#include <string_view>

namespace duet {

inline constexpr std::string_view kPageStyle = R"css(
:root{--page:#f6f7f9;--card:#fff;--ink:#1a1d23;--mute:#5c6470;--line:#e2e5ea;--good:#157a4a;--accent:#2f6fde;
  --tile:#fff;--shadow:0 1px 2px rgb(20 30 50/.06),0 4px 16px rgb(20 30 50/.05)}
@media (prefers-color-scheme:dark){:root{--page:#121419;--card:#1b1e25;--ink:#e8eaee;--mute:#9aa3b0;--line:#2d323c;
  --good:#4fd08f;--accent:#7db0ff;--tile:#f4f5f7;--shadow:none;--s1:#6ea8ff;--s2:#ff9f55;--s3:#4fd08f;--s4:#c297ff;
  --s5:#ff7eb6;--s6:#4fd6e0;--s7:#e3c04d;--s8:#a3adba}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
  "Helvetica Neue","Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:32px 20px 56px}
header{margin:0 0 24px}
h1{font-size:28px;line-height:1.2;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
header p{margin:6px 0 0;color:var(--mute);font-size:16px;overflow-wrap:anywhere}
h2{font-size:19px;letter-spacing:-.01em;margin:36px 0 4px}
a{color:var(--accent)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(164px,1fr));gap:12px;margin:0 0 24px}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px;box-shadow:var(--shadow)}
.facts dt{color:var(--mute);font-size:13px}
.facts dd{margin:2px 0 0;font-size:20px;font-weight:600;letter-spacing:-.01em;overflow-wrap:anywhere;
  font-variant-numeric:tabular-nums}
.facts dd.long{font-size:14px;font-weight:500;letter-spacing:0;line-height:1.4;margin-top:5px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:12px;margin:0 0 20px;
  box-shadow:var(--shadow)}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;font-weight:600;font-size:15px;padding:14px 16px 6px}
th,td{text-align:left;padding:8px 16px;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;color:var(--mute);font-weight:500;font-size:13px;white-space:nowrap}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody tr:hover{background:color-mix(in srgb,var(--accent) 6%,transparent)}
figure{margin:0}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(460px,100%),1fr));gap:16px;margin:0 0 8px}
.charts.one{grid-template-columns:minmax(0,800px)}
.charts.map{grid-template-columns:minmax(0,1fr);margin-bottom:16px}
.charts figure{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:8px;box-shadow:var(--shadow)}
.chart{display:block;width:100%;height:auto;color:var(--ink);font-variant-numeric:tabular-nums}
.pt{cursor:crosshair}
.pt:hover{fill-opacity:1}
.key{margin:0 0 8px;color:var(--mute);font-size:14px}
.tick{color:var(--good);font-weight:700}
.contact article{border-top:1px solid var(--line);padding:14px 0 10px}
.contact h3{font-size:15px;font-weight:600;margin:0 0 8px;overflow-wrap:anywhere}
.strip{display:grid;gap:10px;grid-template-columns:repeat(auto-fill,minmax(min(118px,28%),1fr))}
.strip img{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:var(--tile);border-radius:10px;
  border:1px solid var(--line);padding:6px;overflow:hidden;font-size:11px;line-height:1.3;color:#555;overflow-wrap:anywhere}
.strip a{display:block;border-radius:10px}
.strip figcaption{font-size:12px;color:var(--mute);text-align:center;padding:3px 0 0;font-variant-numeric:tabular-nums}
.right img{border-color:var(--good);box-shadow:0 0 0 2px var(--good)}
.right .score{color:var(--good);font-weight:600}
.gallery .strip{grid-template-columns:repeat(auto-fill,minmax(168px,1fr));gap:16px}
.gallery article>h3{font-size:16px;margin:12px 0}
.gallery .strip figure{background:var(--card);border:1px solid var(--line);border-radius:14px;overflow:hidden;
  box-shadow:var(--shadow)}
.gallery .strip img{border:0;border-radius:0;padding:14px;transition:transform .15s}
.gallery .strip a:hover img{transform:scale(1.04)}
.gallery .strip a{overflow:hidden;background:var(--tile);border-radius:0}
.gallery figcaption{display:grid;grid-template-columns:auto 1fr auto;gap:8px;align-items:start;text-align:left;
  padding:10px 12px;font-size:13px;border-top:1px solid var(--line)}
.gallery .rank{color:var(--mute);min-width:1em}
.gallery .name{color:var(--ink);overflow-wrap:anywhere;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;
  overflow:hidden}
.gallery .score{grid-column:3}
.cross{color:var(--mute);font-weight:700}
.cards{display:grid;gap:12px;grid-template-columns:repeat(auto-fill,minmax(min(calc(28px + var(--side)*90px),100%),1fr))}
.cards article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:10px;
  box-shadow:var(--shadow)}
.side{display:grid;grid-template-columns:repeat(var(--side),minmax(0,1fr));gap:6px}
.side img{display:block;width:100%;aspect-ratio:1;object-fit:contain;image-rendering:pixelated;background:var(--tile);
  border:1px solid var(--line);border-radius:6px;font-size:11px;color:#555;overflow:hidden}
.side figcaption{font-size:12px;color:var(--mute);text-align:center;padding:2px 0 0}
.cards p{margin:4px 0 0;font-size:13px;text-align:center;font-variant-numeric:tabular-nums}
details{margin:36px 0 0;background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow)}
summary{cursor:pointer;padding:12px 16px;font-weight:600}
pre{margin:0;padding:4px 16px 16px;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono",
  monospace;tab-size:4}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
@media print{body{background:#fff}.facts div,.scroll,.charts figure,.cards article,details{box-shadow:none;break-inside:avoid}}
)css";

}  // namespace duet
