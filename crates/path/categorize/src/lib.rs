//! Who is this recipient really?.
