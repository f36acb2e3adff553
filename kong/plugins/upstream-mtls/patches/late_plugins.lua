--- Runs a function before each access handler of the plugins that run after access control.
--
-- Kong limitation: a plugin has one priority, and nothing runs between two plugins. mtls-policy authenticates at the
-- priority of key-auth (1250), and some of its decisions are made after all authentication plugins (1000 and above) and
-- acl (950). The plugins below 900 may answer in place of the upstream. Their handlers are the tables that Kong's
-- plugins iterator calls (kong.db.plugins:get_handlers, seen in 3.4 to 3.10).


local kong = kong
local ngx = ngx
local assert = assert
local ipairs = ipairs


-- Priority of upstream-mtls.
local ACCESS_CONTROL_ENDS = 900


--- Wrap the handlers. Once, when a worker starts.
-- @tparam function before gets `ngx.ctx` and the plugin's name; may answer the client, after which the handler is not
-- run
local function before_each(before)
  for _, plugin in ipairs(assert(kong.db.plugins:get_handlers())) do
    local handler, name = plugin.handler, plugin.name
    local access = handler.access
    if access and (handler.PRIORITY or 0) < ACCESS_CONTROL_ENDS then
      handler.access = function(self, conf)
        before(ngx.ctx, name)
        return access(self, conf)
      end
    end
  end
end


return { before_each = before_each }
