std = "ngx_lua"
unused_args = false
max_line_length = 120
read_globals = { "kong" }
-- Lua plugins are methods of a table
self = false
