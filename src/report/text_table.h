// Tables as text for a terminal, for a spreadsheet and for a paper.
#pragma once
#include <string>
#include <vector>

namespace duet {

using Cells = std::vector<std::string>;

// Cells below each other, two spaces apart; every row as long as the first.
std::string aligned(const std::vector<Cells>& rows);
// Quoted where it has to be.
std::string csv_field(const std::string& text);
// A tabular, the first row its header; needs the package booktabs.
std::string latex_tabular(const std::vector<Cells>& rows);

}  // namespace duet
