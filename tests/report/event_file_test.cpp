#include "report/event_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

struct Event {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string file_version, tag;
  float value = 0;
};

// A reader of its own, so that the writer is not checked against itself.
struct Reader {
  std::string_view bytes;

  template <class T>
  T raw() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view take(std::size_t count) {
    if (count > bytes.size()) throw std::runtime_error("cut");
    const std::string_view taken = bytes.substr(0, count);
    bytes.remove_prefix(count);
    return taken;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  }
};

std::uint32_t unmasked(std::uint32_t masked) { return std::rotl(masked - 0xA282EAD8U, 15); }

Event parse_event(std::string_view bytes) {
  Event event;
  const auto read_value = [&](Reader value) {
    while (!value.bytes.empty()) {
      const std::uint64_t key = value.varint();
      if (key == (1 << 3 | 2))
        event.tag = value.take(value.varint());
      else if (key == (2 << 3 | 5))
        event.value = value.raw<float>();
      else
        ADD_FAILURE() << "field " << key;
    }
  };
  for (Reader reader{bytes}; !reader.bytes.empty();) {
    const std::uint64_t key = reader.varint();
    if (key == (1 << 3 | 1))
      event.wall_time = reader.raw<double>();
    else if (key == (2 << 3 | 0))
      event.step = static_cast<std::int64_t>(reader.varint());
    else if (key == (3 << 3 | 2))
      event.file_version = reader.take(reader.varint());
    else if (key == (5 << 3 | 2)) {
      Reader summary{reader.take(reader.varint())};
      EXPECT_EQ(summary.varint(), 1U << 3 | 2);
      read_value(Reader{summary.take(summary.varint())});
      EXPECT_TRUE(summary.bytes.empty());
    } else {
      ADD_FAILURE() << "field " << key;
    }
  }
  return event;
}

std::vector<Event> parse_file(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<Event> events;
  for (Reader reader{content}; !reader.bytes.empty();) {
    const std::string_view header = reader.take(8);
    EXPECT_EQ(unmasked(reader.raw<std::uint32_t>()), crc32c(header));
    std::uint64_t length;
    std::memcpy(&length, header.data(), 8);
    const std::string_view data = reader.take(length);
    EXPECT_EQ(unmasked(reader.raw<std::uint32_t>()), crc32c(data));
    events.push_back(parse_event(data));
  }
  return events;
}

TEST(Crc32c, ValuesOfRfc3720) {  // appendix B.4
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(EventFile, ReadsBackAsWritten) {
  const TemporaryFolder folder;
  const auto path = folder / "events.out.tfevents.duet";
  {
    EventFile file(path, 0);
    file.scalar("train/loss", 1, 3.5, 1700000000.25);
    file.scalar("val/R@1 (größer)", 3000000000, -0.125, 1700000001);
  }
  const std::vector<Event> events = parse_file(path);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.6e9);
  EXPECT_EQ(events[1].tag, "train/loss");
  EXPECT_EQ(events[1].step, 1);
  EXPECT_EQ(events[1].value, 3.5F);
  EXPECT_EQ(events[1].wall_time, 1700000000.25);
  EXPECT_EQ(events[2].tag, "val/R@1 (größer)");
  EXPECT_EQ(events[2].step, 3000000000);
}

TEST(EventFile, RecordIsWhatTensorBoardWrites) {
  const TemporaryFolder folder;
  const auto path = folder / "events";
  std::uintmax_t before = 0;
  {
    EventFile file(path, 0);
    before = file.size();
    file.scalar("a", 7, 0.5, 1.0);
    EXPECT_EQ(file.size(), std::filesystem::file_size(path));
  }
  // Made with TensorBoard's RecordWriter: length, masked CRC, Event{wall_time: 1, step: 7, summary{value{tag:
  // "a", simple_value: 0.5}}}, masked CRC.
  const std::string expected(
      "\x17\0\0\0\0\0\0\0"
      "\xE7\xCE\xF8\x1E"
      "\x09\0\0\0\0\0\0\xF0\x3F"
      "\x10\x07"
      "\x2A\x0A"
      "\x0A\x08"
      "\x0A\x01"
      "a"
      "\x15\0\0\0\x3F"
      "\x35\xE3\x06\x5A",
      8 + 4 + 23 + 4);
  EXPECT_EQ(read_file(path).substr(before), expected);
}

TEST(EventFile, ResumedRunIsCutBackAndGoesOn) {
  const TemporaryFolder folder;
  const auto path = folder / "events";
  std::uintmax_t kept = 0;
  {
    EventFile file(path, 0);
    file.scalar("loss", 1, 1, 1);
    kept = file.size();
    file.scalar("loss", 2, 2, 2);
  }
  {
    EventFile file(path, kept);
    EXPECT_EQ(file.size(), kept);
    file.scalar("loss", 2, 20, 3);
  }
  const std::vector<Event> events = parse_file(path);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2].value, 20.F);
}

}  // namespace
}  // namespace duet
