// Says that it is ready and waits until its input is closed.
#include <iostream>
#include <string>

int main() {
    std::cout << "ready" << std::endl;
    std::string line;
    while (std::getline(std::cin, line)) {
    }
    return 0;
}
