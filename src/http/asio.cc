// Asio's own code is compiled here, once, and not in every source that includes it (CMakeLists.txt sets
// BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
