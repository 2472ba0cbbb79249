#include "cli/classify_output.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

Classification three_pictures() {
  return {.texts = false,
          .classes = {"cat", "a, \"b\""},
          .scale = 20,
          .items = {{.item = "a.png",
                     .file = "/p/a.png",
                     .shown = "p/a.png",
                     .classes = {{"cat", 0.75}, {"a, \"b\"", 0.25}}},
                    {.item = "b\tc.png",
                     .file = "/p/b\tc.png",
                     .shown = "p/b\tc.png",
                     .classes = {{"a, \"b\"", 0.6666666}, {"cat", 0.3333333}}},
                    {.item = "bad.png", .file = "/p/bad.png", .shown = "p/bad.png", .why = "is empty"}}};
}

TEST(ClassifyOutput, LinesAreForOtherPrograms) {
  EXPECT_EQ(answer_lines(three_pictures()),
            "p/a.png\tcat\t0.7500\ta, \"b\"\t0.2500\n"
            "p/b c.png\ta, \"b\"\t0.6667\tcat\t0.3333\n"
            "p/bad.png\t\t\n");
}

TEST(ClassifyOutput, TableIsAlignedAndCutToTheTerminal) {
  EXPECT_EQ(answer_table(three_pictures(), 80),
            "p/a.png    cat     0.750  a, \"b\"  0.250\n"
            "p/b c.png  a, \"b\"  0.667  cat     0.333\n"
            "p/bad.png\n");
  Classification one = three_pictures();
  one.items.resize(1);
  one.items[0].shown = "folder/of/many/pictures/picture.png";
  one.items[0].classes.resize(1);
  EXPECT_EQ(answer_table(one, 32), "\u2026ictures/picture.png  cat  0.750\n");
  one.texts = true;
  one.items[0].shown = "a long text of many words that goes on";
  EXPECT_EQ(answer_table(one, 32).substr(0, 10), "a long tex");
}

TEST(ClassifyOutput, CsvQuotesAsRfc4180Says) {
  EXPECT_EQ(answer_csv(three_pictures()),
            "path,label,probability,label_2,probability_2\r\n"
            "a.png,cat,0.750000,\"a, \"\"b\"\"\",0.250000\r\n"
            "b\tc.png,\"a, \"\"b\"\"\",0.666667,cat,0.333333\r\n"
            "bad.png,,,,\r\n");
  Classification texts = {.texts = true, .items = {{.item = "so,\nso", .classes = {{"x", 1}}}}};
  EXPECT_EQ(answer_csv(texts), "text,label,probability\r\n\"so,\nso\",x,1.000000\r\n");
  // An empty text has its fields, too.
  Classification empty = {.texts = true, .items = {{.why = "holds no text"}}};
  EXPECT_EQ(answer_csv(empty), "text,label,probability\r\n,,\r\n");
}

TEST(ClassifyOutput, JsonHoldsAllThatIsKnown) {
  const auto json = answer_json(three_pictures());
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["classes"].size(), 2u);
  EXPECT_EQ(json["scale"], 20);
  ASSERT_EQ(json["items"].size(), 3u);
  EXPECT_EQ(json["items"][0].dump(),
            R"({"path":"a.png","file":"/p/a.png","label":"cat","probability":0.75,)"
            R"("classes":[{"label":"cat","probability":0.75},{"label":"a, \"b\"","probability":0.25}]})");
  EXPECT_EQ(json["items"][1]["probability"], 0.666667);
  EXPECT_EQ(json["items"][2].dump(),
            R"({"path":"bad.png","file":"/p/bad.png","label":null,"probability":null,"classes":[],)"
            R"("error":"is empty"})");
  const Classification texts = {.texts = true, .items = {{.item = "so", .classes = {{"x", 1}}}}};
  EXPECT_EQ(answer_json(texts)["items"][0].dump(),
            R"({"text":"so","label":"x","probability":1.0,"classes":[{"label":"x","probability":1.0}]})");
}

}  // namespace
}  // namespace duet
