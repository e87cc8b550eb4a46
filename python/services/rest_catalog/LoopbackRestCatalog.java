package org.apache.iceberg.rest;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/**
 * The Iceberg project's RESTCatalogServer, on loopback alone: its own main binds every interface. Configured by the same
 * variables (CATALOG_WAREHOUSE, CATALOG_URI, …) and REST_PORT. One server has any number of catalogs: /v1/… is the one
 * that is configured, /NAME/v1/… one that is made when it is first asked for, with a database beside and a warehouse
 * below those that are configured.
 */
public class LoopbackRestCatalog {
  public static void main(String[] arguments) throws Exception {
    var context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    context.addServlet(new ServletHolder(new Catalogs(RCKUtils.environmentCatalogConfig())), "/*");
    var server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("REST_PORT"))));
    server.setHandler(context);
    server.start();
    server.join();
  }

  private static class Catalogs extends HttpServlet {
    private final Map<String, String> config;
    private final Map<String, RESTCatalogServlet> servlets = new ConcurrentHashMap<>();

    Catalogs(Map<String, String> config) {
      this.config = config;
      servlets.put("", servlet(config));
    }

    private static RESTCatalogServlet servlet(Map<String, String> config) {
      var catalog = CatalogUtil.buildIcebergCatalog("rest_backend", config, new Configuration());
      return new RESTCatalogServlet(new RESTServerCatalogAdapter(new RESTCatalogServer.CatalogContext(catalog, config)));
    }

    private RESTCatalogServlet named(String name) {
      var changed = new HashMap<>(config);
      changed.put("warehouse", config.get("warehouse") + "/" + name);
      changed.put("uri", config.get("uri").replace(".db", "-" + name + ".db"));
      return servlet(changed);
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws ServletException, IOException {
      var path = request.getRequestURI();
      var end = path.startsWith("/v1/") ? 0 : path.indexOf('/', 1);
      if (end < 0) {
        response.sendError(HttpServletResponse.SC_NOT_FOUND);
        return;
      }
      var name = end == 0 ? "" : path.substring(1, end);
      servlets
          .computeIfAbsent(name, this::named)
          .service(
              new HttpServletRequestWrapper(request) {
                @Override
                public String getRequestURI() {
                  return path.substring(end);
                }
              },
              response);
    }
  }
}
