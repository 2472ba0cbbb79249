#include "report/html.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

TEST(Html, EscapesWhatMarkupIsMadeOf) {
  EXPECT_EQ(escaped_html("<script>alert('x') & \"y\"</script>"),
            "&lt;script&gt;alert(&#39;x&#39;) &amp; &quot;y&quot;&lt;/script&gt;");
}

TEST(Html, KeepsEveryScriptAndReplacesWhatIsNoText) {
  EXPECT_EQ(escaped_html("赤い心 قلب ♥\n"), "赤い心 قلب ♥\n");
  EXPECT_EQ(escaped_html(std::string_view("a\0b\x1b[31m", 8)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD[31m");
  EXPECT_EQ(escaped_html("caf\xE9!"), "caf\xEF\xBF\xBD!");
  EXPECT_EQ(escaped_html("\xE9"), "\xEF\xBF\xBD");
}

TEST(Html, PathsBecomeReferencesThatCannotLeaveTheirAttribute) {
  EXPECT_EQ(url_of_path("my pictures/häuser #1.png"), "my%20pictures/h%C3%A4user%20%231.png");
  EXPECT_EQ(url_of_path("a\"onerror='x'%.png"), "a%22onerror%3D%27x%27%25.png");
  EXPECT_EQ(url_of_path("javascript:alert(1)"), "./javascript%3Aalert%281%29");
  EXPECT_EQ(url_of_path("/data/a:b.png"), "/data/a%3Ab.png");
}

TEST(Html, Base64OfTheStandard) {  // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

TEST(Html, DataUrlsNameWhatTheBytesAre) {
  EXPECT_EQ(data_url("\x89PNG\r\n\x1a\n"), "data:image/png;base64,iVBORw0KGgo=");
  EXPECT_TRUE(data_url("\xFF\xD8\xFF\xE0").starts_with("data:image/jpeg;"));
  EXPECT_TRUE(data_url("RIFF1234WEBPVP8 ").starts_with("data:image/webp;"));
  EXPECT_TRUE(data_url("GIF89a").starts_with("data:image/gif;"));
  EXPECT_EQ(data_url("<svg onload='alert(1)'>"), "");
  EXPECT_EQ(data_url(""), "");
}

}  // namespace
}  // namespace duet
