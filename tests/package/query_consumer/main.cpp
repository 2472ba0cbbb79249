// A program that has no LibTorch: embeds a caption with what the program in consumer wrote into the folder
// argv[1].
#include <iostream>

#include "core/error.h"
#include "encoders/plain/query_tower.h"

int main(int, char** argv) {
  const duet::QueryTower tower = duet::QueryTower::open(argv[1]);
  std::cout << "caption [" << tower.embed("a red circle").size() << "]\n";
  try {
    tower.embed("");
  } catch (const duet::Error& error) {
    std::cout << error.what() << "\n";
  }
}
