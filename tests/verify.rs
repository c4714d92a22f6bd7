//! `keepscope verify`, through the binary.
