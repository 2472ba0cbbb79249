#include "report/event_file.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <string>

namespace duet {

namespace {

// Table of CRC-32C (Castagnoli), the reflected polynomial 0x82F63B78.
constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

// TFRecord rotates and offsets its checksums, so that a checksum of data that holds checksums stays good.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return std::rotr(crc, 15) + 0xA282EAD8U;
}

template <class T>
void append_raw(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little, "protobuf and TFRecord are little-endian");
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// The protobuf wire types in use.
enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_key(std::string& out, unsigned field, Wire wire) { append_varint(out, field << 3 | wire); }

void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

void append_wall_time(std::string& event, double wall_time) {
  append_key(event, 1, kFixed64);
  append_raw(event, wall_time);
}

std::string record(std::string_view data) {
  std::string out;
  append_raw(out, static_cast<std::uint64_t>(data.size()));
  append_raw(out, masked_crc(out));
  out += data;
  append_raw(out, masked_crc(data));
  return out;
}

double seconds_since_epoch() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& path, std::uintmax_t keep_bytes) : file_(path, keep_bytes) {
  if (keep_bytes > 0) return;
  std::string event;
  append_wall_time(event, seconds_since_epoch());
  append_bytes(event, 3, "brain.Event:2");
  file_.write(record(event));
}

void EventFile::scalar(std::string_view tag, std::int64_t step, double value, double wall_time) {
  std::string point;  // Summary.Value
  append_bytes(point, 1, tag);
  append_key(point, 2, kFixed32);
  append_raw(point, static_cast<float>(value));
  std::string summary;
  append_bytes(summary, 1, point);
  std::string event;
  append_wall_time(event, wall_time);
  append_key(event, 2, kVarint);
  append_varint(event, static_cast<std::uint64_t>(step));
  append_bytes(event, 5, summary);
  file_.write(record(event));
}

}  // namespace duet
