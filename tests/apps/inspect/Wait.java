/** Says that it is ready and waits until its input is closed. */
public class Wait {
    public static void main(String[] arguments) throws java.io.IOException {
        System.out.println("ready");
        while (System.in.read() >= 0) {
        }
    }

    /** As an agent it does nothing but be there. */
    public static void premain(String arguments) {
    }
}
