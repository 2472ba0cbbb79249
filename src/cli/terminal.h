// What the terminal on stdout can do, and text made safe to print on it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace duet {

std::size_t terminal_columns();  // of stdout: the window's, else $COLUMNS, else 80
bool terminal_styles();          // stdout is a terminal, TERM is not "dumb", no NO_COLOR: bold and OSC 8 links
std::string bold(std::string_view text, bool on);
// OSC 8: the text is a link to a file of this machine.
std::string file_link(std::string_view text, std::string_view absolute_path, bool on);
// Control characters (also C1 and broken UTF-8) become spaces or U+FFFD: file names and captions command no
// terminal.
std::string printable(std::string_view text);
// Cut from the left to `cells`, with an ellipsis: the end of a path tells more than its beginning.
std::string clipped_left(std::string_view text, std::size_t cells);
std::string padded(std::string_view text, std::size_t cells);  // with spaces on the right, by display width
// Words put into lines of at most `columns`, each but the first indented.
std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent);

}  // namespace duet
