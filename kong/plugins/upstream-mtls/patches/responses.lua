--- Looks at responses before they are sent, and before Kong buffers them for plugins.
--
-- Kong limitations (init.lua, seen in 3.4 to 3.10): a plugin that answers in its access handler ends the request, and
-- plugins that are not configured for the route cannot look at that response. For a plugin that needs the whole
-- response (a `response` handler, enable_buffering), Kong.access calls Kong.response, which requests the upstream by
-- a subrequest before filters run.


local ngx = ngx
local assert = assert
local require = require


local HEADERS = { "Content-Length", "Content-Encoding", "Transfer-Encoding", "ETag", "Last-Modified", "Cache-Control",
                  "Set-Cookie", "Location", "X-Cache-Key", "X-Cache-Status" }


--- Replace responses that must not be sent by a 503.
-- @tparam function replacement gets `ngx.ctx`; returns the body of the 503, or nil to send the response as it is
local function before_sending(replacement)
  local Kong = require "kong"
  local header_filter = assert(Kong.header_filter, "it has no Kong.header_filter")
  local body_filter = assert(Kong.body_filter, "it has no Kong.body_filter")

  Kong.header_filter = function()
    local ctx = ngx.ctx
    local body = replacement(ctx)
    if body then
      ctx.mtls_replaced_body = body
      ngx.status = 503
      for i = 1, #HEADERS do
        ngx.header[HEADERS[i]] = nil
      end

      ngx.header["Content-Type"] = "application/json; charset=utf-8"
    end

    return header_filter()
  end

  Kong.body_filter = function()
    local ctx = ngx.ctx
    local body = ctx.mtls_replaced_body
    if body then
      ngx.arg[1] = ngx.arg[2] and body or nil
    end

    return body_filter()
  end
end


--- Run a function before a buffered response is requested.
-- @tparam function before gets `ngx.ctx`; may answer the client
local function before_buffering(before)
  local Kong = require "kong"
  local response = assert(Kong.response, "it has no Kong.response")
  Kong.response = function()
    before(ngx.ctx)
    return response()
  end
end


return {
  before_sending = before_sending,
  before_buffering = before_buffering,
}
