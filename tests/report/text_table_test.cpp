#include "report/text_table.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

TEST(CsvField, IsQuotedOnlyWhereItHasToBe) {
  for (const std::string plain : {"", "a", "two words", " edges ", "é 🙂", "a;b", "it's", "a\tb"})
    EXPECT_EQ(csv_field(plain), plain);
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("\""), "\"\"\"\"");
  EXPECT_EQ(csv_field("say \"no\", twice"), "\"say \"\"no\"\", twice\"");
  EXPECT_EQ(csv_field("a\nb"), "\"a\nb\"");
  EXPECT_EQ(csv_field("a\r\nb"), "\"a\r\nb\"");
  EXPECT_EQ(csv_field("a\rb"), "\"a\rb\"");  // alone it ends a record, too, for many readers
}

TEST(Aligned, ColumnsStandByWhatIsSeen) {
  EXPECT_EQ(aligned({{"é", "1"}, {"long", ""}, {"🙂", "22"}}), "é     1\nlong\n🙂    22\n");
}

TEST(LatexTabular, EscapesWhatLatexReads) {
  EXPECT_EQ(latex_tabular({{"a_b", "R@1"}, {"5%", "&"}}),
            "\\begin{tabular}{lr}\n\\toprule\na\\_b & R@1 \\\\\n\\midrule\n5\\% & \\& \\\\\n\\bottomrule\n"
            "\\end{tabular}\n");
}

}  // namespace
}  // namespace duet
