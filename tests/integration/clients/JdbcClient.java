import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/** What MariaDB's JDBC driver does with a database behind the bastion. Words: URL, user; the password is in MYSQL_PWD. */
public final class JdbcClient {
    private JdbcClient() {
    }

    public static void main(String[] words) {
        try (Connection connection = DriverManager.getConnection(words[0], words[1], System.getenv("MYSQL_PWD"));
                PreparedStatement statement = connection.prepareStatement("select ? as a, ? as b")) {
            for (int number = 1; number <= 2; number++) {
                statement.setInt(1, number);
                statement.setString(2, "text");
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    System.out.println(rows.getInt(1) + " " + rows.getString(2));
                }
            }
        } catch (SQLException problem) {
            System.err.println(problem.getMessage());
            System.exit(1);
        }
    }
}
