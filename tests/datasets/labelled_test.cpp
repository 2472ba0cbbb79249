#include "datasets/labelled.h"

#include <gmock/gmock.h>

#include <string>

#include "core/format.h"
#include "core/log.h"
#include "scratch.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Scratch;

using Labels = std::vector<std::int64_t>;

class LabelledData : public ::testing::Test {
 protected:
  Labelled read(std::string_view content, LabelledOptions options = {}) {
    options.data = scratch_.write("photos.csv", content).string();
    return read_labelled(options);
  }
  std::string refused(std::string_view content, const LabelledOptions& options = {}) {
    return error_of([&] { read(content, options); });
  }
  // What is said on stderr.
  std::string said(std::string_view content, const LabelledOptions& options = {}) {
    ::testing::internal::CaptureStderr();
    read(content, options);
    return ::testing::internal::GetCapturedStderr();
  }

  Scratch scratch_;
};

TEST_F(LabelledData, PicturesOfAManifest) {
  for (const char* name : {"a.png", "b.png", "c.png"}) scratch_.write(name, name);
  scratch_.write("d.png", "a.png");  // the bytes of the first
  const Labelled items = read(
      "filepath,title,concept,label\na.png,x,k,dog\nb.png,y,,cat\nc.png,z,k,dog\nd.png,,l, "
      "cat\nnone.png,,,cat\n");
  EXPECT_THAT(items.classes, ElementsAre("cat", "dog"));
  EXPECT_THAT(items.labels, ElementsAre(Labels{1}, Labels{0}, Labels{1}, Labels{0}, Labels{0}));
  EXPECT_FALSE(items.texts);
  EXPECT_EQ(items.size(), 5);
  EXPECT_EQ(items.source.pairs[2].image, "c.png");
  EXPECT_EQ(items.contents[0].size(), 32u);
  EXPECT_EQ(items.contents[0], items.contents[3]);
  EXPECT_NE(items.contents[0], items.contents[1]);
  EXPECT_THAT(items.groups, ElementsAre("k", items.contents[1], "k", "l", "none.png"));
  EXPECT_EQ(items.contents[4], "");
}

TEST_F(LabelledData, ColumnsAreGuessedAndSaid) {
  EXPECT_THAT(said("filepath,Category,class\na,x,one\nb,y,two\n"),
              HasSubstr("photos.csv: labels are taken from column 'class': 2 classes"));
  EXPECT_THAT(read("filepath,Category\na,x\nb,y\n").classes, ElementsAre("x", "y"));
  EXPECT_THAT(read("filepath,label,kind\na,1,x\nb,1,y\n", {.label_column = "kind"}).classes,
              ElementsAre("x", "y"));
}

// A column may serve as caption or concept as well; a concept that is the label tells nothing apart.
TEST_F(LabelledData, LabelsFromColumnsThatServeOtherwise) {
  EXPECT_THAT(read("filepath,title\na,x\nb,y\n", {.label_column = "title"}).classes, ElementsAre("x", "y"));
  const Labelled items = read("filepath,concept\na.png,x\nb.png,y\n", {.label_column = "concept"});
  EXPECT_THAT(items.classes, ElementsAre("x", "y"));
  EXPECT_THAT(items.groups, ElementsAre("a.png", "b.png"));
  EXPECT_THAT(read("filepath,label,thing\na.png,x,1\nb.png,y,1\n", {.concept_column = "thing"}).groups,
              ElementsAre("1", "1"));
  EXPECT_THAT(read("filepath,label,concept\na.png,x,1\nb.png,y,1\n", {.concept_column = ""}).groups,
              ElementsAre("a.png", "b.png"));
}

TEST_F(LabelledData, FoldersAreClasses) {
  for (const char* name : {"dog/a.png", "cat/deep/b.png", "cat/c.png"}) scratch_.write(name, name);
  const LabelledOptions folder{.data = scratch_.folder().string()};
  ::testing::internal::CaptureStderr();
  const Labelled items = read_labelled(folder);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("labels are taken from the first folders: 2"));
  EXPECT_THAT(items.classes, ElementsAre("cat", "dog"));
  EXPECT_THAT(items.labels, ElementsAre(Labels{0}, Labels{0}, Labels{1}));
  EXPECT_EQ(items.groups, items.contents);  // the folder is the class, and no concept
  EXPECT_THAT(error_of([&] { read_labelled({.data = folder.data, .label_column = "kind"}); }),
              AllOf(HasSubstr("has no classes: no kind"), HasSubstr("there are: class")));
  scratch_.write("loose.png", "x");
  EXPECT_THAT(error_of([&] { read_labelled(folder); }), HasSubstr("loose.png: lies in no folder of a class"));
  const Scratch flat;
  flat.write("a.png", "x");
  EXPECT_THAT(error_of([&] { read_labelled({.data = flat.folder().string()}); }),
              HasSubstr("put the pictures of each class into a folder of its own"));
}

TEST_F(LabelledData, DrawnPictures) {
  const Labelled items = read_labelled({.data = "shapes:40:1", .label_column = "shape"});
  EXPECT_THAT(items.classes, ElementsAre("circle", "cross", "heart", "square", "star", "triangle"));
  const Labelled others = read_labelled({.data = "shapes:40:2", .label_column = "shape"});
  EXPECT_NE(items.contents[0], others.contents[0]);  // shapes/000000 of another seed is another picture
  EXPECT_EQ(items.contents, read_labelled({.data = "shapes:40:1", .label_column = "shape"}).contents);
}

TEST_F(LabelledData, APictureTwice) {
  EXPECT_THAT(
      refused("filepath,label\na,x\nb,y\n./a,y\n"),
      HasSubstr("photos.csv:4: label 'y', but line 2 gives the same picture 'x'; a picture has one label"));
  const std::string twice = "filepath,label\na,x\nb,y\n./a,x\n";
  EXPECT_THAT(said(twice), HasSubstr("1 row names a picture again, with the same label"));
  EXPECT_EQ(read(twice).size(), 2);
  // Of other columns nothing is asked.
  EXPECT_EQ(read("filepath,label,class\na,x,1\nb,y,2\na,x,2\n").size(), 2);
}

TEST_F(LabelledData, SeveralLabels) {
  const Labelled items = read("filepath,label\na,x|z\nb, y | x |x\nc,\n", {.separator = "|"});
  EXPECT_THAT(items.classes, ElementsAre("x", "y", "z"));
  EXPECT_THAT(items.labels, ElementsAre(Labels{0, 2}, Labels{0, 1}, Labels{}));
  EXPECT_THAT(read("filepath,label\na,x|z\nb,y\n").classes, ElementsAre("x|z", "y"));
  EXPECT_THAT(refused("filepath,label\na,x|z\nb,x||y\n", {.separator = "|"}),
              HasSubstr("photos.csv:3: an empty class name in 'label'"));
}

// The one that everybody has may be missing; one that was asked for may not, whatever it is called.
TEST_F(LabelledData, AConceptThatIsAskedForMustBeThere) {
  for (const bool texts : {false, true}) {
    const LabelledOptions asked{.concept_required = true, .texts = texts};
    const std::string with = "filepath,text,label,concept\na.png,a,x,k\nb.png,b,y,\n";
    EXPECT_EQ(read(with, asked).groups[0], "k");
    EXPECT_TRUE(has_concepts(read(with, asked)));
    const std::string without = "filepath,text,label,note\na.png,a,x,1\nb.png,b,y,2\n";
    EXPECT_THAT(refused(without, asked), AllOf(HasSubstr("photos.csv"), HasSubstr("'concept'"))) << texts;
    EXPECT_FALSE(has_concepts(read(without, {.texts = texts})));
    EXPECT_EQ(read(without, {.concept_column = "", .concept_required = true, .texts = texts}).size(), 2);
  }
  // The labels' own column is no concept.
  EXPECT_FALSE(has_concepts(read("filepath,concept\na.png,x\nb.png,y\n", {.label_column = "concept"})));
}

TEST_F(LabelledData, Texts) {
  const LabelledOptions texts{.texts = true};
  const Labelled items =
      read("text,label,concept,note\na cat,x,k,1\nA  Cat,y,,2\n\"b, c\",x,,3\na cat,x,,4\n", texts);
  EXPECT_TRUE(items.texts);
  EXPECT_THAT(items.classes, ElementsAre("x", "y"));
  EXPECT_THAT(items.labels, ElementsAre(Labels{0}, Labels{1}, Labels{0}, Labels{0}));
  EXPECT_THAT(items.source.pairs[2].captions, ElementsAre("b, c"));
  EXPECT_EQ(items.source.pairs[2].line, 4);
  EXPECT_THAT(items.source.columns, ElementsAre("label", "note"));
  EXPECT_EQ(items.contents[0], items.contents[3]);
  EXPECT_NE(items.contents[0], items.contents[1]);
  EXPECT_EQ(items.groups[0], "k");
  EXPECT_EQ(items.groups[1], items.groups[3]);  // but for capitals and spaces the same
  EXPECT_NE(items.groups[1], items.groups[2]);
  EXPECT_THAT(
      said("sentence\tclass\na\tx\nb\ty\n", texts),
      AllOf(HasSubstr("texts are taken from column 'sentence'"), HasSubstr("column 'class': 2 classes")));
  EXPECT_THAT(
      read("what,kind\na,x\nb,y\n", {.label_column = "kind", .texts = true, .text_column = "what"}).classes,
      ElementsAre("x", "y"));
}

TEST_F(LabelledData, PairsOfTexts) {
  const LabelledOptions pairs{.texts = true, .text_column = "first", .second_column = "second"};
  const Labelled items = read("first,second,label\na,b,x\nab,c,y\na,bc,y\n", pairs);
  EXPECT_THAT(items.source.pairs[0].captions, ElementsAre("a", "b"));
  EXPECT_TRUE(holds_pairs(items));
  EXPECT_FALSE(holds_pairs(subset(items, {})));
  EXPECT_FALSE(holds_pairs(read("first,label\na,x\nab,y\n", {.texts = true, .text_column = "first"})));
  EXPECT_NE(items.contents[1], items.contents[2]);  // it matters where the first one ends
  EXPECT_THAT(refused("first,second,label\na,b,x\na, ,y\n", pairs), HasSubstr(":3: 'second' is empty"));
}

TEST_F(LabelledData, TextsThatAreRefused) {
  const LabelledOptions texts{.texts = true};
  EXPECT_THAT(refused("text,label\na,x\n ,y\n", texts),
              HasSubstr("photos.csv:3: 'text' is empty; a text may not"));
  EXPECT_THAT(refused("txet,label\na,x\n", texts),
              AllOf(HasSubstr(":1: no column for the texts (text, sentence, caption)"),
                    HasSubstr("columns: txet, label"), HasSubstr("--text-column")));
  EXPECT_THAT(refused("text,lable\na,x\n", texts),
              AllOf(HasSubstr(":1: no column for the labels (label, class, category); did you mean 'lable'?"),
                    HasSubstr("columns: text, lable"), HasSubstr("--label-column")));
  EXPECT_THAT(refused("text,label\na,x\n", {.texts = true, .second_column = "next"}),
              HasSubstr("no column 'next'"));
  EXPECT_THAT(refused("text,label\na,x\nb\n", texts), HasSubstr(":3: 1 field where the header has 2"));
  EXPECT_THAT(refused("text,label\n", texts), HasSubstr("no rows below the header"));
  EXPECT_THAT(refused("text,label\na,caf\xE9\n", texts), HasSubstr("is no UTF-8"));
  EXPECT_THAT(refused("{\"text\": 1}", texts), HasSubstr("is JSON, not a manifest"));
  EXPECT_THAT(error_of([] { read_labelled({.data = "none.csv", .texts = true}); }), HasSubstr("no such file"));
}

TEST_F(LabelledData, WhatIsRefused) {
  EXPECT_THAT(refused("filepath,lable,note\na,x,1\n"),
              AllOf(HasSubstr("photos.csv:1: no column for the labels (label, class, category)"),
                    HasSubstr("columns: filepath, lable, note")));
  EXPECT_THAT(refused("filepath,kind\na,x\n", {.label_column = "knd"}),
              AllOf(HasSubstr("(knd); did you mean 'kind'?"), HasSubstr("columns: filepath, kind")));
  EXPECT_THAT(refused("filepath,label\na,x\nb, \n"),
              HasSubstr("photos.csv:3: an empty class name in 'label'; give it a class"));
  EXPECT_THAT(refused("filepath,label\na,x\nb,x\n"), HasSubstr("there is one class only in 'label': 'x'"));
  EXPECT_THAT(refused("filepath,label\na,\nb,\n", {.separator = "|"}),
              HasSubstr("'label' is empty in every row"));
  EXPECT_THAT(error_of([] { read_labelled({}); }, Exit::usage), HasSubstr("no labelled data given"));
  const std::string sentences = scratch_.write("text.txt", "One.\nTwo.\n").string();
  EXPECT_THAT(error_of([&] { read_labelled({.data = sentences}); }), HasSubstr("is a text without pictures"));
}

// As file names of macOS have it, an accent stands behind its letter.
TEST_F(LabelledData, LabelsAreComposed) {
  EXPECT_THAT(read("filepath,label\na,e\u0301te\u0301\nb,\u00e9t\u00e9\nc,x\n").classes,
              ElementsAre("x", "\u00e9t\u00e9"));
  EXPECT_THAT(read("filepath,label\na,e\u0301|x\nb,\u00e9\n", {.separator = "|"}).labels,
              ElementsAre(Labels{0, 1}, Labels{1}));
  const Scratch folders;
  for (const char* name : {"e\u0301te\u0301/a.png", "x/b.png"}) folders.write(name, name);
  const Labelled items = read_labelled({.data = folders.folder().string()});
  EXPECT_THAT(items.classes, ElementsAre("x", "\u00e9t\u00e9"));
  EXPECT_EQ(items.source.pairs[0].image, "e\u0301te\u0301/a.png");  // the file keeps its name
}

TEST_F(LabelledData, OtherClasses) {
  const Labelled items = read("filepath,label\na,x\nb,z\nc,y\nd,x\n");
  const Labelled same = with_classes(items, {"z", "more", "y", "x"});
  EXPECT_THAT(same.labels, ElementsAre(Labels{3}, Labels{0}, Labels{2}, Labels{3}));
  EXPECT_THAT(same.classes, ElementsAre("z", "more", "y", "x"));
  EXPECT_THAT(error_of([&] {
                with_classes(items, {"x", "y"});
              }),
              HasSubstr("photos.csv:3: class 'z' is none of the 2 classes; the classes are x, y"));
  const Labelled few = only_classes(items, {"y", "x", "w"});
  EXPECT_THAT(few.labels, ElementsAre(Labels{1}, Labels{0}, Labels{1}));
  EXPECT_EQ(few.source.pairs[1].image, "c");
  EXPECT_EQ(few.groups[1], items.groups[2]);
  EXPECT_THAT(error_of([&] {
                only_classes(items, {"v", "w"});
              }),
              AllOf(HasSubstr("no item is of one of the 2 classes"), HasSubstr("its classes are x, y, z")));
  const Labelled part = subset(items, {3, 1});
  EXPECT_THAT(part.labels, ElementsAre(Labels{0}, Labels{2}));
  EXPECT_THAT(part.contents, ElementsAre(items.contents[3], items.contents[1]));
}

TEST_F(LabelledData, ItemsWithoutLabels) {
  const std::string manifest = scratch_.write("m.csv", "filepath\nphotos.csv\nnone\n").string();
  const Labelled items = unlabelled(read_source({.data = manifest}, false), false);
  EXPECT_THAT(items.labels, ElementsAre(Labels{}, Labels{}));
  EXPECT_THAT(items.classes, IsEmpty());
  EXPECT_EQ(items.size(), 2);
  EXPECT_THAT(items.contents, IsEmpty());  // no file is read
  EXPECT_EQ(subset(items, {1}).size(), 1);
}

}  // namespace
}  // namespace duet
