std = "ngx_lua"
unused_args = false
max_line_length = 120
read_globals = {
  -- what plugins tell one another
  kong = { other_fields = true, fields = { ctx = { fields = { shared = { other_fields = true, read_only = false } } } } },
}
-- Lua plugins are methods of a table
self = false

files["spec"] = { globals = { "kong", "ngx" } }
files["plugins/*/spec"] = { std = "+busted", globals = { "kong", "ngx" } }
