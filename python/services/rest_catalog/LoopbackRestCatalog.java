package org.apache.iceberg.rest;

import java.net.InetSocketAddress;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/**
 * The Iceberg project's RESTCatalogServer, on loopback alone: its own main binds every interface. Configured by the same variables
 * (CATALOG_WAREHOUSE, CATALOG_URI, …) and REST_PORT.
 */
public class LoopbackRestCatalog {
  public static void main(String[] arguments) throws Exception {
    Map<String, String> config = RCKUtils.environmentCatalogConfig();
    var catalog = CatalogUtil.buildIcebergCatalog("rest_backend", config, new Configuration());
    var adapter = new RESTServerCatalogAdapter(new RESTCatalogServer.CatalogContext(catalog, config));
    var context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    context.addServlet(new ServletHolder(new RESTCatalogServlet(adapter)), "/*");
    var server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("REST_PORT"))));
    server.setHandler(context);
    server.start();
    server.join();
  }
}
