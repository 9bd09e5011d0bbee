import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.*;

/** As probe.py, for the Java barrier: the argument is a JDBC URL. */
public final class Probe {
    private static int runs;

    public static void main(String[] arguments) throws Exception {
        boolean postgres = arguments[0].startsWith("jdbc:postgresql:");
        Connection db = DriverManager.getConnection(arguments[0]);
        SagaBarrier barrier = new SagaBarrier(db, postgres, 3600);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            String[] f = line.split(" "); // PHASE SAGA OUTCOME STARTED-MS WHAT
            boolean isAction = f[0].equals("action");
            String key = f[4].equals("keyless") ? null : f[1] + "/" + f[0];
            SagaBarrier.Call call = new SagaBarrier.Call(isAction, key, isAction ? "" : f[1] + "/action", isAction ? "" : f[2],
                    f[4].equals("older") ? 0 : Long.parseLong(f[3]));
            try {
                byte[] answer = barrier.run(call, c -> {
                    runs++;
                    try (Statement s = c.createStatement()) {
                        s.executeUpdate("INSERT INTO ledger VALUES ('" + f[1] + "', " + (isAction ? 100 : -100) + ")");
                        if (f[4].equals("commit"))
                            s.executeUpdate("COMMIT");
                    }
                    if (f[4].matches("\\d+"))
                        throw new SagaBarrier.Failure(Integer.parseInt(f[4]), "no");
                    return ("booked " + runs).getBytes();
                });
                System.out.println("0 " + new String(answer));
            } catch (SagaBarrier.Failure failure) {
                System.out.println(failure.status + " " + failure.getMessage());
            } catch (SQLException error) {
                System.out.println("500 " + error.getMessage().replace('\n', ' '));
            }
        }
    }
}
