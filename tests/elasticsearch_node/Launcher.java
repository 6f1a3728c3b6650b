import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** Starts one node in this process: {@code java -cp "HOME/lib/*" Launcher.java HOME CONFIG key=value...}. */
public class Launcher {
    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        Path config = Path.of(arguments[1]);
        Settings.Builder settings = Settings.builder()
            .put("path.home", home.toString())
            .put("cluster.name", "lolbin-rules-test")
            .put("node.name", "node")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("transport.port", 0)
            .put("cluster.routing.allocation.disk.threshold_enabled", false);
        for (int i = 2; i < arguments.length; i++) {
            String[] setting = arguments[i].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        Environment environment = new Environment(settings.build(), config);
        System.setProperty("es.path.home", home.toString());
        System.setProperty("es.path.conf", config.toString());
        System.setProperty("es.logs.base_path", environment.logsDir().toString());
        LogConfigurator.registerErrorListener();
        LogConfigurator.configure(environment, true);
        // The last argument leaves module exports alone: the server is on the class path, where it exports nothing.
        PluginsLoader plugins = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir()),
            PluginsLoader.loadPluginsBundles(environment.pluginsDir()), Map.of(), false);
        Node node;
        try {
            node = new Node(environment, plugins) {}.start();
        } catch (Throwable failure) {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1); // threads of a half-built node would keep the process alive
            return;
        }
        while (System.in.read() >= 0) {} // standard input ends when the parent closes it, or dies
        node.close();
        Runtime.getRuntime().halt(0);
    }
}
